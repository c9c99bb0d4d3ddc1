"""What a window reads: its control row and its recipients as they are now."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from core.clock import steady_seconds
from delivery.chunks.arrays import numbers
from delivery.chunks.chunk import Ended, Lease
from delivery.engine import superseding
from delivery.engine.ports import Control, Recipient
from delivery.fanout import PUSH_KINDS
from delivery.pacing import standing
from delivery.states import RecipientState, SuppressedReason

Driver = psycopg.Connection[Any]

_KILLED = """EXISTS (SELECT FROM kill_switch s
           WHERE (s.app_id IS NULL OR s.app_id = k.app_id)
             AND (s.credential_id IS NULL OR s.credential_id = k.id))"""
_CONTROL = f"""
SELECT m.state AS message_state, k.state AS credential_state,
       coalesce(k.frozen_until > clock_timestamp(), false) AS frozen, m.rate_per_second,
       k.quota_per_minute, k.provider, k.environment,
       {_KILLED} AS killed,
       m.expires_at <= clock_timestamp() AS expired, clock_timestamp() AS now,
       extract(epoch FROM m.expires_at - clock_timestamp())::float8 AS expires_in_seconds,
       k.project_id, k.learned_share,
       coalesce(extract(epoch FROM clock_timestamp()
           - greatest(k.learned_at, k.frozen_until)), 0)::float8 AS learned_seconds,
       k.held_platforms, k.hold_reason,
       coalesce(extract(epoch FROM k.held_until - clock_timestamp()), 0)::float8 AS held_seconds,
       EXISTS (SELECT FROM token_answer a WHERE a.app_id = k.app_id AND a.credential_id = k.id
           AND a.refused > 0) AS watched,
       coalesce(k.guard_rests_until > clock_timestamp(), false) AS guard_rests,
       p.installation, p.epoch, p.live, p.stay_seconds,
       extract(epoch FROM clock_timestamp() - p.switched_at)::float8 AS age_seconds
FROM message m JOIN credential k ON k.app_id = m.app_id AND k.id = %(credential_id)s
CROSS JOIN pacer p
WHERE m.app_id = %(app_id)s AND m.id = %(message_id)s
"""  # noqa: S608 - all texts are ours.
# Those for which `Control.may_send` does not hold, and whatever is gone.
_STOPPED = f"""
SELECT w.number - 1
FROM unnest(CAST(%(app_ids)s AS int8[]), CAST(%(message_ids)s AS int8[]),
            CAST(%(credential_ids)s AS int8[]))
    WITH ORDINALITY AS w(app_id, message_id, credential_id, number)
LEFT JOIN LATERAL (SELECT * FROM message m
    WHERE m.app_id = w.app_id AND m.id = w.message_id OFFSET 0) m ON true
LEFT JOIN LATERAL (SELECT * FROM credential k
    WHERE k.app_id = w.app_id AND k.id = w.credential_id OFFSET 0) k ON true
WHERE m.state IS DISTINCT FROM 'running' OR k.state IS DISTINCT FROM 'active'
   OR k.frozen_until > clock_timestamp() OR m.expires_at <= clock_timestamp() OR {_KILLED}
"""  # noqa: S608 - all texts are ours.
# Who was merged into the owner since the cut has not moved: it is the same person by another id.
# OFFSET 0 makes each look-up go by the id of the device. Just after an import the planner knows
# nothing of the tables yet; left to itself it reads all devices of the app for every window.
_RECIPIENTS = """
SELECT w.position, w.device_id, d.person_id, d.platform, d.locale, d.time_zone,
       t.id AS target_id, t.token, t.kind, t.topic,
       CASE WHEN d.id IS NULL OR t.id IS NULL OR t.state = 'retired' THEN 'retired_before_send'
            WHEN w.person_id IS NOT NULL AND w.person_id IS DISTINCT FROM d.person_id
                 AND coalesce((SELECT s.into_id FROM person_successor s
                               WHERE s.app_id = %(app_id)s AND s.person_id = w.person_id)
                              <> d.person_id, true) THEN 'moved'
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
    read_at = steady_seconds()
    return _control(_execute_control(connection, lease), read_at)


def read_stopped(connection: Driver, leases: Sequence[Lease]) -> set[int]:
    """Return which of the leases must not send any more, by their place in `leases`."""
    values = {
        "app_ids": numbers([lease.message.app_id for lease in leases]),
        "message_ids": numbers([lease.message.id for lease in leases]),
        "credential_ids": numbers([lease.credential_id for lease in leases]),
    }
    return {number for (number,) in connection.execute(_STOPPED, values)}


def read_window(
    connection: Driver, lease: Lease, positions: Sequence[int]
) -> tuple[Control, Sequence[Found]]:
    """Read the control row and the recipients at `positions`, in one round trip."""
    read_at, older = steady_seconds(), None
    values = {
        "app_id": lease.message.app_id,
        "credential_id": lease.credential_id,
        "positions": numbers(positions),
        "device_ids": numbers([lease.device_ids[position] for position in positions]),
        "person_ids": numbers([lease.person_ids[position] for position in positions]),
        "kinds": list(PUSH_KINDS),
    }
    with connection.pipeline():
        control = _execute_control(connection, lease)
        found = connection.execute(_RECIPIENTS, values)
        if lease.message.collapse_id is not None:
            older = superseding.execute(connection, lease, positions)
    everybody = found.fetchall()
    newer = dict(older.fetchall()) if older else {}
    if newer:
        everybody = [_overtaken(one, newer) for one in everybody]
    return _control(control, read_at), everybody


def _overtaken(found: Found, newer: Mapping[int, bool]) -> Found:
    has_left = newer.get(found[0])
    if has_left is None:
        return found
    *fields, reason = found
    superseded = SuppressedReason.SUPERSEDED.value if has_left else superseding.NEWER_FIRST
    return (*fields, reason or superseded)


def split(found: Sequence[Found]) -> tuple[list[Recipient], list[Ended]]:
    """Split what was found into recipients to prepare and those that end here, with the reason.

    None of them waits for a newer message.

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


def _control(cursor: psycopg.Cursor[Any], read_at: float) -> Control:
    found = cursor.fetchall()[0]
    values = {name: getattr(found, name) for name in _FIELDS}
    return Control(**values, pacer=standing.of_row(found, read_at))
