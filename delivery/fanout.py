"""Cut the audience of a due message into chunks, in one statement and one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from core.database import rows
from delivery.messages import repository
from delivery.messages.message import HARD_END_SECONDS, Message
from delivery.states import MessageState

# The kinds of target that take an ordinary notification, best first.
PUSH_KINDS = ("fid", "token", "alert")


@dataclass(frozen=True, slots=True)
class Source:
    """Who a message is for, as SQL that selects `id`: people, and devices chosen by themselves.

    The texts are ours, written in this code base; everything from callers is in `values`.
    """

    people: str
    devices: str
    values: Mapping[str, Any]


_JUDGED = """
WITH people AS MATERIALIZED ({people}),
chosen AS MATERIALIZED ({devices}),
reach AS (
    SELECT d.person_id, d.id AS device_id, d.permission, false AS by_itself
    FROM people p JOIN device d ON d.app_id = :app_id AND d.person_id = p.id
    UNION ALL
    SELECT d.person_id, d.id, d.permission, true
    FROM (SELECT DISTINCT id FROM chosen) c JOIN device d ON d.app_id = :app_id AND d.id = c.id),
aimed AS MATERIALIZED (
    SELECT DISTINCT ON (r.device_id) r.*, t.state AS target_state, t.credential_id
    FROM reach r LEFT JOIN LATERAL (
        SELECT t.state, (
            SELECT k.id FROM credential k
            WHERE k.app_id = :app_id AND k.state <> 'retired' AND k.provider = t.provider
              AND k.environment IS NOT DISTINCT FROM t.environment
              AND (t.topic IS NULL OR k.topic = t.topic)
            ORDER BY k.id DESC LIMIT 1) AS credential_id
        FROM target t
        WHERE t.app_id = :app_id AND t.device_id = r.device_id AND t.kind = ANY(:kinds)
        ORDER BY t.state = 'active' DESC, t.registered_at DESC LIMIT 1) t ON true
    WHERE r.by_itself OR t.state IN ('active', 'suspect')
    ORDER BY r.device_id),
judged AS MATERIALIZED (
    SELECT person_id, device_id, credential_id,
           CASE WHEN target_state IS NULL OR target_state = 'retired' THEN 'retired_before_send'
                WHEN target_state = 'suspect' THEN 'suspect'
                WHEN permission = 'denied' THEN 'no_permission'
                WHEN credential_id IS NULL THEN 'no_credential' END AS reason
    FROM aimed
    UNION ALL
    SELECT p.id, NULL, NULL, 'no_device' FROM (SELECT DISTINCT id FROM people) p
    WHERE NOT EXISTS (SELECT FROM aimed a WHERE a.person_id = p.id))
"""
_CUT = f"""{_JUDGED},
numbered AS (
    SELECT person_id, device_id, credential_id,
           (row_number() OVER (PARTITION BY credential_id ORDER BY device_id) - 1) / :size AS part
    FROM judged WHERE reason IS NULL),
chunks AS (
    INSERT INTO chunk (app_id, message_id, credential_id, lane, device_ids, person_ids, remaining)
    SELECT :app_id, :message_id, credential_id, :lane, array_agg(device_id ORDER BY device_id),
           array_agg(person_id ORDER BY device_id), count(*)
    FROM numbered GROUP BY credential_id, part RETURNING remaining),
ended AS (
    INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, attempt)
    SELECT :app_id, current_date, :message_id, device_id, person_id, 'suppressed', reason, 0
    FROM judged WHERE reason IS NOT NULL RETURNING reason),
deltas AS (
    INSERT INTO message_delta (app_id, message_id, state, reason, recipients)
    SELECT :app_id, :message_id, 'suppressed', reason, count(*) FROM ended GROUP BY reason)
SELECT targeted, current_date AS day, now AS started_at,
       now + make_interval(secs => :ttl) AS expires_at
FROM (SELECT coalesce((SELECT sum(remaining) FROM chunks), 0)::bigint
             + (SELECT count(*) FROM ended) AS targeted,
             clock_timestamp() AS now) t
"""  # noqa: S608  Both parts are ours.
_REACH = f"""{_JUDGED}
SELECT reason, credential_id, count(*) AS recipients FROM judged GROUP BY reason, credential_id
"""  # noqa: S608  Both parts are ours.


@dataclass(frozen=True, slots=True)
class Reached:
    """Recipients of one credential, or of none, that are to be sent to or not for a `reason`."""

    reason: str | None
    credential_id: int | None
    recipients: int


def reach(connection: Connection, app_id: int, source: Source) -> Sequence[Reached]:
    """Count whom a cut would target now."""
    statement = _REACH.format(people=source.people, devices=source.devices)
    found = rows(connection, statement, app_id=app_id, kinds=list(PUSH_KINDS), **source.values)
    return [Reached(*row) for row in found]


def cut(connection: Connection, message: Message, source: Source, chunk_size: int) -> Message:
    """Cut the audience of `message` and set it running; returns it with `targeted` known.

    Runs in the caller's transaction: either everything is planned, or nothing.
    """
    statement = _CUT.format(people=source.people, devices=source.devices)
    found = rows(
        connection,
        statement,
        app_id=message.app_id,
        message_id=message.id,
        lane=message.lane,
        kinds=list(PUSH_KINDS),
        size=chunk_size,
        ttl=min(message.ttl_seconds, HARD_END_SECONDS),
        **source.values,
    )[0]
    values = {
        "state": MessageState.RUNNING.value,
        "day": found.day,
        "targeted": found.targeted,
        "started_at": found.started_at,
        "expires_at": found.expires_at,
    }
    return repository.change(connection, message, values)
