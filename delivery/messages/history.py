"""What a person or a device was sent, and what became of each push, ended or still open."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.database import rows
from delivery.messages.progress import STOPPED, WAIT_REASON_OF_ANY
from delivery.messages.waiting import KILL_SWITCHES
from delivery.postings.repository import RECORDING
from delivery.successors.repository import IDS_OF_PERSON

PENDING = "pending"
_NEWEST = (2**63 - 1, 0)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One recipient of one message; `state` is terminal, or `pending` while it is open.

    `reason` of an open one is what it waits for. `device_id` is 0 for a person without any device.
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
_OPEN = f"""SELECT c.message_id, coalesce(u.device_id, 0), u.person_id, 'pending',
           {WAIT_REASON_OF_ANY}, NULL, c.attempt, NULL
    FROM chunk c {STOPPED}
    CROSS JOIN LATERAL unnest(c.device_ids, c.person_ids) WITH ORDINALITY
        AS u(device_id, person_id, place)
    WHERE c.app_id = :app_id AND (u.place > c.intended OR u.place - 1 = ANY(c.open))"""  # noqa: S608
_POSTED = f"""SELECT p.message_id, coalesce(u.device_id, 0), u.person_id, 'pending',
           '{RECORDING}', NULL, 0, NULL
    FROM posting p CROSS JOIN LATERAL unnest(p.device_ids, p.person_ids) AS u(device_id, person_id)
    WHERE p.app_id = :app_id"""  # noqa: S608
# Two who had no device each and are one now had none together: pages turn by message and device.
_ENTRIES = """
SELECT DISTINCT ON (f.message_id, f.device_id)
       f.message_id, m.public_id AS message, m.state AS message_state,
       m.content->>'title' AS title, m.lane, m.send_at AS scheduled_at, f.device_id,
       d.public_id AS device, f.person_id, f.state, f.reason, f.gateway, f.attempt, f.at
FROM found f
JOIN message m ON m.app_id = :app_id AND m.id = f.message_id
LEFT JOIN device d ON d.app_id = :app_id AND d.id = f.device_id
WHERE (f.message_id, f.device_id) < (:message_id, :device_id)
ORDER BY f.message_id DESC, f.device_id DESC LIMIT :limit
"""
# Each id is read by the index by itself, up to a page.
_OF_IDS = f"""SELECT one.* FROM who CROSS JOIN LATERAL (
        {_LEDGER} AND l.person_id = who.id {{narrowed}} AND {_BEHIND}) AS one"""  # noqa: S608  All parts are ours.
_OF_PERSON = f"""
WITH who AS MATERIALIZED ({IDS_OF_PERSON}),
found AS (
    ({_OF_IDS.format(narrowed="")})
    UNION ALL {_OPEN}
      AND c.person_ids && ARRAY(SELECT id FROM who) AND u.person_id IN (SELECT id FROM who)
    UNION ALL {_POSTED}
      AND p.person_ids && ARRAY(SELECT id FROM who) AND u.person_id IN (SELECT id FROM who))
{_ENTRIES}
"""  # noqa: S608  All parts are ours.
# No index leads from a device to all its rows: the owner's does, and one of those without owner.
_OF_DEVICE = f"""
WITH who AS MATERIALIZED ({IDS_OF_PERSON}),
found AS (
    ({_OF_IDS.format(narrowed="AND l.device_id = :only")})
    UNION ALL ({_LEDGER} AND l.person_id IS NULL AND l.device_id = :only AND {_BEHIND})
    UNION ALL {_OPEN}
      AND c.device_ids @> ARRAY[CAST(:only AS bigint)] AND u.device_id = :only
      AND (u.person_id IS NULL OR u.person_id IN (SELECT id FROM who))
    UNION ALL {_POSTED}
      AND p.device_ids @> ARRAY[CAST(:only AS bigint)] AND u.device_id = :only
      AND (u.person_id IS NULL OR u.person_id IN (SELECT id FROM who)))
{_ENTRIES}
"""  # noqa: S608  All parts are ours.


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
    behind = {"message_id": message_id, "device_id": device_id}
    found = rows(connection, sql, limit=page.limit, **behind, **values, **KILL_SWITCHES)
    names = HistoryEntry.__dataclass_fields__
    return [HistoryEntry(**{name: getattr(row, name) for name in names}) for row in found]
