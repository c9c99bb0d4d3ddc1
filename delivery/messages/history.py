"""What a person or a device was sent, and what became of each push, ended or still open."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.database import rows

PENDING = "pending"
# A device that is nobody's is looked for in this many messages of its app, the newest first.
REACH = 10_000


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One recipient of one message; `state` is terminal, or `pending` while it is open."""

    message_id: int
    message: str
    message_state: str
    title: str | None
    lane: str
    scheduled_at: datetime
    device_id: int
    device: str | None
    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Up to `limit` entries behind the pair (message, device) `before`."""

    limit: int
    before: tuple[int, int] | None = None


_OPEN = """
    SELECT c.message_id, coalesce(u.device_id, 0), 'pending', c.wait_reason, NULL,
           c.attempt, NULL
    FROM chunk c
    CROSS JOIN LATERAL unnest(c.device_ids, c.person_ids) WITH ORDINALITY
        AS u(device_id, person_id, place)
    WHERE c.app_id = :app_id AND (u.place > c.intended OR u.place - 1 = ANY(c.open))
"""
_ENTRIES = """
SELECT f.message_id, m.public_id AS message, m.state AS message_state,
       m.content->>'title' AS title, m.lane, m.send_at AS scheduled_at, f.device_id,
       d.public_id AS device, f.state, f.reason, f.gateway, f.attempt, f.at
FROM found f
JOIN message m ON m.app_id = :app_id AND m.id = f.message_id
LEFT JOIN device d ON d.app_id = :app_id AND d.id = f.device_id
WHERE CAST(:message_id AS bigint) IS NULL
   OR (f.message_id, f.device_id) < (:message_id, :device_id)
ORDER BY f.message_id DESC, f.device_id DESC LIMIT :limit
"""
_OF_PERSON = f"""
WITH found AS (
    SELECT l.message_id, coalesce(l.device_id, 0) AS device_id, l.state, l.reason, l.gateway,
           l.attempt, l.at
    FROM ledger l WHERE l.app_id = :app_id AND l.person_id = :person_id
      AND (CAST(:only AS bigint) IS NULL OR l.device_id = :only)
    UNION ALL {_OPEN}
      AND c.person_ids @> ARRAY[CAST(:person_id AS bigint)] AND u.person_id = :person_id
      AND (CAST(:only AS bigint) IS NULL OR u.device_id = :only))
{_ENTRIES}
"""  # noqa: S608  All parts are ours.
# No index leads from a device to its rows, so its rows are asked of each message.
_OF_DEVICE = f"""
WITH recent AS MATERIALIZED (
    SELECT id, day FROM message
    WHERE app_id = :app_id AND (CAST(:message_id AS bigint) IS NULL OR id <= :message_id)
    ORDER BY id DESC LIMIT :reach),
found AS (
    SELECT l.message_id, l.device_id, l.state, l.reason, l.gateway, l.attempt, l.at
    FROM recent r JOIN ledger l ON l.app_id = :app_id AND l.message_id = r.id
        AND l.device_id = :only AND l.day = r.day
    UNION ALL {_OPEN}
      AND c.device_ids @> ARRAY[CAST(:only AS bigint)] AND u.device_id = :only)
{_ENTRIES}
"""  # noqa: S608  All parts are ours.


def of_person(
    connection: Connection,
    app_id: int,
    person_id: int,
    page: HistoryPage,
    only_device_id: int | None = None,
) -> list[HistoryEntry]:
    """Return what one person was sent, newest message first."""
    values = {"app_id": app_id, "person_id": person_id, "only": only_device_id}
    return _read(connection, _OF_PERSON, page, values)


def of_device(
    connection: Connection, app_id: int, device_id: int, page: HistoryPage
) -> list[HistoryEntry]:
    """Return what a device that is nobody's was sent, among the newest `REACH` messages."""
    values = {"app_id": app_id, "only": device_id, "reach": REACH}
    return _read(connection, _OF_DEVICE, page, values)


def _read(
    connection: Connection, sql: str, page: HistoryPage, values: Mapping[str, int | None]
) -> list[HistoryEntry]:
    message_id, device_id = page.before or (None, 0)
    found = rows(
        connection, sql, limit=page.limit, message_id=message_id, device_id=device_id, **values
    )
    names = HistoryEntry.__dataclass_fields__
    return [HistoryEntry(**{name: getattr(row, name) for name in names}) for row in found]
