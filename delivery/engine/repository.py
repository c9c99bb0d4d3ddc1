"""What a window reads: its control row and its recipients as they are now."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from delivery.chunks.arrays import numbers
from delivery.chunks.chunk import Ended, Lease
from delivery.engine.ports import Control, Recipient
from delivery.fanout import PUSH_KINDS
from delivery.pacing import standing
from delivery.states import RecipientState, SuppressedReason

Driver = psycopg.Connection[Any]

_CONTROL = """
SELECT m.state AS message_state, k.state AS credential_state,
       coalesce(k.frozen_until > clock_timestamp(), false) AS frozen, m.rate_per_second,
       k.quota_per_minute, k.provider, k.environment,
       EXISTS (SELECT FROM kill_switch s
           WHERE (s.app_id IS NULL OR s.app_id = k.app_id)
             AND (s.credential_id IS NULL OR s.credential_id = k.id)) AS killed,
       m.expires_at <= clock_timestamp() AS expired, clock_timestamp() AS now,
       extract(epoch FROM m.expires_at - clock_timestamp())::float8 AS expires_in_seconds,
       k.project_id, k.learned_share,
       coalesce(extract(epoch FROM clock_timestamp()
           - greatest(k.learned_at, k.frozen_until)), 0)::float8 AS learned_seconds,
       p.installation, p.epoch, p.live, p.stay_seconds,
       extract(epoch FROM clock_timestamp() - p.switched_at)::float8 AS age_seconds
FROM message m JOIN credential k ON k.app_id = m.app_id AND k.id = %(credential_id)s
CROSS JOIN pacer p
WHERE m.app_id = %(app_id)s AND m.id = %(message_id)s
"""
# OFFSET 0 makes each look-up go by the id of the device. Just after an import the planner knows
# nothing of the tables yet; left to itself it reads all devices of the app for every window.
_RECIPIENTS = """
SELECT w.position, w.device_id, d.person_id, d.platform, d.locale, d.time_zone,
       t.id AS target_id, t.token, t.kind, t.topic,
       CASE WHEN d.id IS NULL OR t.id IS NULL OR t.state = 'retired' THEN 'retired_before_send'
            WHEN w.person_id IS NOT NULL AND w.person_id IS DISTINCT FROM d.person_id THEN 'moved'
            WHEN t.state = 'suspect' THEN 'suspect'
            WHEN d.permission = 'denied' THEN 'no_permission' END AS reason
FROM unnest(CAST(%(positions)s AS int4[]), CAST(%(device_ids)s AS int8[]),
            CAST(%(person_ids)s AS int8[])) AS w(position, device_id, person_id)
CROSS JOIN (SELECT provider, environment FROM credential
            WHERE app_id = %(app_id)s AND id = %(credential_id)s) k
LEFT JOIN LATERAL (
    SELECT d.* FROM device d
    WHERE d.app_id = %(app_id)s AND d.id = w.device_id OFFSET 0) d ON true
LEFT JOIN LATERAL (
    SELECT t.*
    FROM (SELECT * FROM target
          WHERE app_id = %(app_id)s AND device_id = w.device_id OFFSET 0) t
    WHERE t.kind = ANY(%(kinds)s) AND t.provider = k.provider
      AND t.environment IS NOT DISTINCT FROM k.environment
    ORDER BY t.state = 'active' DESC, t.registered_at DESC LIMIT 1) t ON true
ORDER BY w.position
"""
_FIELDS = [name for name in Control.__dataclass_fields__ if name != "pacer"]

# What `read_window` finds of one position: the fields of a recipient, and why not to send to it.
Found = tuple[Any, ...]


def read_control(connection: Driver, lease: Lease) -> Control:
    """Read what decides whether the next window may open; times by the database's clock."""
    return _control(_execute_control(connection, lease))


def read_window(
    connection: Driver, lease: Lease, positions: Sequence[int]
) -> tuple[Control, Sequence[Found]]:
    """Read the control row and the recipients at `positions`, in one round trip."""
    with connection.pipeline():
        control = _execute_control(connection, lease)
        found = connection.execute(
            _RECIPIENTS,
            {
                "app_id": lease.message.app_id,
                "credential_id": lease.credential_id,
                "positions": numbers(positions),
                "device_ids": numbers([lease.device_ids[position] for position in positions]),
                "person_ids": numbers([lease.person_ids[position] for position in positions]),
                "kinds": list(PUSH_KINDS),
            },
        )
    return _control(control), found.fetchall()


def split(found: Sequence[Found]) -> tuple[list[Recipient], list[Ended]]:
    """Split what was found into recipients to prepare and those that end here, with the reason.

    Owner, permission and token were checked as they are now: much can change since the cut.
    """
    recipients: list[Recipient] = []
    ended: list[Ended] = []
    for *fields, reason in found:
        if reason:
            known = SuppressedReason(reason)
            ended.append(Ended(fields[0], RecipientState.SUPPRESSED.value, known.value))
        else:
            # The columns are the fields of a recipient, in their order.
            recipients.append(Recipient(*fields))
    return recipients, ended


def _execute_control(connection: Driver, lease: Lease) -> psycopg.Cursor[Any]:
    cursor = connection.cursor(row_factory=namedtuple_row)
    values = {
        "app_id": lease.message.app_id,
        "message_id": lease.message.id,
        "credential_id": lease.credential_id,
    }
    return cursor.execute(_CONTROL, values)


def _control(cursor: psycopg.Cursor[Any]) -> Control:
    found = cursor.fetchall()[0]
    values = {name: getattr(found, name) for name in _FIELDS}
    return Control(**values, pacer=standing.of_row(found))
