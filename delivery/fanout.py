"""Cut the audience of a due message into chunks, in one statement and one transaction."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from delivery.messages import repository
from delivery.messages.message import HARD_END_SECONDS, Message
from delivery.states import MessageState

# The kinds of target that take an ordinary notification, best first.
PUSH_KINDS = ("fid", "token", "alert")
_WIDE = {"enable_nestloop": "off", "work_mem": "'64MB'", "jit": "off"}


@dataclass(frozen=True, slots=True)
class Source:
    """Who a message is for, as SQL that selects `id`: people, and devices chosen by themselves.

    The texts are ours, written in this code base; everything from callers is in `values`. `people`
    lists each person once. A wide source names a large part of the app: tables are read whole
    for it, whatever the planner believes. `bars` are joins to the devices and people of `aimed a`,
    and `refuses` and `is_suppressed` say of them who is not to be sent to; never null.
    """

    people: str
    devices: str
    values: Mapping[str, Any]
    is_wide: bool = False
    bars: str = ""
    refuses: str = "false"
    is_suppressed: str = "false"

    def put_into(self, statement: str) -> str:
        """Return a statement that reads this source."""
        return statement.format(
            people=self.people,
            devices=self.devices,
            bars=self.bars,
            refuses=self.refuses,
            is_suppressed=self.is_suppressed,
        )


_JUDGED = """
WITH people AS MATERIALIZED ({people}),
chosen AS MATERIALIZED ({devices}),
reach AS (
    SELECT d.person_id, d.id AS device_id, d.permission, false AS by_itself
    FROM people p JOIN device d ON d.app_id = :app_id AND d.person_id = p.id
    UNION ALL
    SELECT d.person_id, d.id, d.permission, true
    FROM (SELECT DISTINCT id FROM chosen) c JOIN device d ON d.app_id = :app_id AND d.id = c.id),
keys AS MATERIALIZED (
    SELECT provider, coalesce(environment, '') AS environment, coalesce(topic, '') AS topic,
           max(id) AS id
    FROM (SELECT id, provider, environment, topic FROM credential
          WHERE app_id = :app_id AND state <> 'retired'
          UNION ALL
          SELECT id, provider, environment, NULL FROM credential
          WHERE app_id = :app_id AND state <> 'retired') k
    GROUP BY 1, 2, 3),
best AS (
    SELECT DISTINCT ON (r.device_id) r.*, t.state AS target_state, k.id AS credential_id
    FROM reach r
    LEFT JOIN target t
      ON t.app_id = :app_id AND t.device_id = r.device_id AND t.kind = ANY(:kinds)
    LEFT JOIN keys k ON k.provider = t.provider AND k.environment = coalesce(t.environment, '')
                    AND k.topic = coalesce(t.topic, '')
    ORDER BY r.device_id, t.state = 'active' DESC NULLS LAST, t.registered_at DESC),
aimed AS MATERIALIZED (
    SELECT * FROM best WHERE by_itself OR target_state IN ('active', 'suspect')),
judged AS MATERIALIZED (
    SELECT a.person_id, a.device_id, a.credential_id,
           CASE WHEN target_state IS NULL OR target_state = 'retired' THEN 'retired_before_send'
                WHEN target_state = 'suspect' THEN 'suspect'
                WHEN {refuses} THEN 'no_consent'
                WHEN permission = 'denied' THEN 'no_permission'
                WHEN {is_suppressed} THEN 'suppression_list'
                WHEN credential_id IS NULL THEN 'no_credential' END AS reason
    FROM aimed a {bars}
    UNION ALL
    SELECT p.id, NULL, NULL, 'no_device' FROM people p
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
    SELECT :app_id, :message_id, 'suppressed', reason, count(*) FROM ended GROUP BY reason),
told AS (
    INSERT INTO outbox (app_id, subscription_id, kind, facts)
    SELECT s.app_id, s.id, 'delivery.ended', jsonb_build_object(
        'message', m.public_id, 'is_test', m.is_test, 'results', f.results)
    FROM outbox_subscription s
    JOIN message m ON m.app_id = s.app_id AND m.id = :message_id
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(n.device_id, n.person_id, 'suppressed', n.reason,
                                           NULL, 0)) AS results
        FROM (SELECT device_id, person_id, reason, (row_number() OVER () - 1) / 500 AS part
              FROM judged WHERE reason IS NOT NULL AND s.id > 0) AS n
        GROUP BY n.part) AS f
    WHERE s.app_id = :app_id AND 'delivery.ended' = ANY(s.kinds))
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
    statement = source.put_into(_REACH)
    values = {"app_id": app_id, "kinds": list(PUSH_KINDS), **source.values}
    with _reading(connection, source):
        found = rows(connection, statement, **values)
    return [Reached(*row) for row in found]


def cut(connection: Connection, message: Message, source: Source, chunk_size: int) -> Message:
    """Cut the audience of `message` and set it running; returns it with `targeted` known.

    Runs in the caller's transaction: either everything is planned, or nothing.
    """
    statement = source.put_into(_CUT)
    aim = {
        "app_id": message.app_id,
        "message_id": message.id,
        "lane": message.lane,
        "kinds": list(PUSH_KINDS),
        "size": chunk_size,
        "ttl": min(message.ttl_seconds, HARD_END_SECONDS),
    }
    with _reading(connection, source):
        found = rows(connection, statement, **aim, **source.values)[0]
    values = {
        "state": MessageState.RUNNING.value,
        "day": found.day,
        "targeted": found.targeted,
        "started_at": found.started_at,
        "expires_at": found.expires_at,
    }
    return repository.change(connection, message, values)


@contextlib.contextmanager
def _reading(connection: Connection, source: Source) -> Iterator[None]:
    """Have a wide source read by joining whole tables, with room to sort them in memory.

    Just after an import the planner takes an app for small and looks its devices up one by one,
    which takes three times as long.
    """
    if not source.is_wide:
        yield
        return
    for setting, value in _WIDE.items():
        connection.execute(text(f"SET LOCAL {setting} TO {value}"))
    yield
    for setting in _WIDE:
        connection.execute(text(f"SET LOCAL {setting} TO DEFAULT"))
