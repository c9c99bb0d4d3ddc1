"""What a person or a device was sent, and what became of each push, ended or still open."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.database import rows

PENDING = "pending"
_NEWEST = (2**63 - 1, 0)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One recipient of one message; `state` is terminal, or `pending` while it is open.

    `device_id` is 0 for a person without any device.
    """

    message_id: int
    message: str
    message_state: str
    title: str | None
    lane: str
    scheduled_at: datetime
    device_id: int
    device: str | None
    person_id: int | None
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


_BEHIND = """l.message_id <= :message_id
      AND (l.message_id, coalesce(l.device_id, 0)) < (:message_id, :device_id)
    ORDER BY l.message_id DESC, coalesce(l.device_id, 0) DESC LIMIT :limit"""
_LEDGER = """SELECT l.message_id, coalesce(l.device_id, 0) AS device_id, l.person_id, l.state,
           l.reason, l.gateway, l.attempt, l.at
    FROM ledger l WHERE l.app_id = :app_id"""
_OPEN = """SELECT c.message_id, coalesce(u.device_id, 0), u.person_id, 'pending', c.wait_reason,
           NULL, c.attempt, NULL
    FROM chunk c
    CROSS JOIN LATERAL unnest(c.device_ids, c.person_ids) WITH ORDINALITY
        AS u(device_id, person_id, place)
    WHERE c.app_id = :app_id AND (u.place > c.intended OR u.place - 1 = ANY(c.open))"""
_ENTRIES = """
SELECT f.message_id, m.public_id AS message, m.state AS message_state,
       m.content->>'title' AS title, m.lane, m.send_at AS scheduled_at, f.device_id,
       d.public_id AS device, f.person_id, f.state, f.reason, f.gateway, f.attempt, f.at
FROM found f
JOIN message m ON m.app_id = :app_id AND m.id = f.message_id
LEFT JOIN device d ON d.app_id = :app_id AND d.id = f.device_id
WHERE (f.message_id, f.device_id) < (:message_id, :device_id)
ORDER BY f.message_id DESC, f.device_id DESC LIMIT :limit
"""
_OF_PERSON = f"""
WITH found AS (
    ({_LEDGER} AND l.person_id = :person_id AND {_BEHIND})
    UNION ALL {_OPEN}
      AND c.person_ids @> ARRAY[CAST(:person_id AS bigint)] AND u.person_id = :person_id)
{_ENTRIES}
"""
# No index leads from a device to all its rows: the owner's does, and one of those without owner.
_OF_DEVICE = f"""
WITH found AS (
    ({_LEDGER} AND l.person_id = CAST(:person_id AS bigint) AND l.device_id = :only AND {_BEHIND})
    UNION ALL ({_LEDGER} AND l.person_id IS NULL AND l.device_id = :only AND {_BEHIND})
    UNION ALL {_OPEN}
      AND c.device_ids @> ARRAY[CAST(:only AS bigint)] AND u.device_id = :only
      AND (u.person_id IS NULL OR u.person_id = CAST(:person_id AS bigint)))
{_ENTRIES}
"""


def of_person(
    connection: Connection, app_id: int, person_id: int, page: HistoryPage
) -> list[HistoryEntry]:
    """Return what one person was sent, newest message first."""
    return _read(connection, _OF_PERSON, page, {"app_id": app_id, "person_id": person_id})


def of_device(
    connection: Connection, app_id: int, device_id: int, owner_id: int | None, page: HistoryPage
) -> list[HistoryEntry]:
    """Return what a device was sent for its present owner, and while it was nobody's."""
    values = {"app_id": app_id, "only": device_id, "person_id": owner_id}
    return _read(connection, _OF_DEVICE, page, values)


def _read(
    connection: Connection, sql: str, page: HistoryPage, values: Mapping[str, int | None]
) -> list[HistoryEntry]:
    message_id, device_id = page.before or _NEWEST
    found = rows(
        connection, sql, limit=page.limit, message_id=message_id, device_id=device_id, **values
    )
    names = HistoryEntry.__dataclass_fields__
    return [HistoryEntry(**{name: getattr(row, name) for name in names}) for row in found]
