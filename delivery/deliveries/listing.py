"""The deliveries of one message in pages, each read by an index however large the message is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from core.database import rows
from delivery.messages.history import HistoryEntry
from delivery.messages.message import Message
from delivery.messages.progress import STOPPED, WAIT_REASON
from delivery.messages.waiting import KILL_SWITCHES
from delivery.postings.repository import RECORDING

# Open ones come first: what ends while somebody turns the pages is then seen twice, not never.
_STAGES = ("open", "posting", "device", "person")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind (chunk or posting, place), a device or a person of a stage."""

    stage: str = _STAGES[0]
    first: int = 0
    second: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry and its place."""

    place: Place
    entry: HistoryEntry


# Arrays are unpacked of as many chunks as the page can need: each has somebody, but those of the
# first may all have been on the page before.
_OPEN = f"""
WITH few AS (
    SELECT id, remaining FROM chunk
    WHERE app_id = :app_id AND message_id = :message_id AND id >= :first
    ORDER BY id LIMIT :limit + 1),
enough AS (
    SELECT id FROM (SELECT id, sum(remaining) OVER (ORDER BY id) - remaining
                        - first_value(remaining) OVER (ORDER BY id) AS before FROM few) n
    WHERE before < :limit)
SELECT c.id AS first, u.place AS second, u.device_id, u.person_id, 'pending' AS state,
       {WAIT_REASON} AS reason, NULL AS gateway, c.attempt, NULL AS at
FROM enough e JOIN chunk c ON c.app_id = :app_id AND c.id = e.id
{STOPPED}
CROSS JOIN LATERAL unnest(c.device_ids, c.person_ids) WITH ORDINALITY
    AS u(device_id, person_id, place)
WHERE (u.place > c.intended OR u.place - 1 = ANY(c.open)) AND (c.id, u.place) > (:first, :second)
ORDER BY c.id, u.place LIMIT :limit
"""  # noqa: S608  All parts are ours.
# Each posting has as many as it says.
_POSTING = f"""
WITH few AS (
    SELECT id, sum(recipients) OVER (ORDER BY id) - recipients
               - first_value(recipients) OVER (ORDER BY id) AS before
    FROM (SELECT id, recipients FROM posting
          WHERE app_id = :app_id AND message_id = :message_id AND id >= :first
          ORDER BY id LIMIT :limit + 1) p)
SELECT p.id AS first, u.place AS second, u.device_id, u.person_id, 'pending' AS state,
       '{RECORDING}' AS reason, NULL AS gateway, 0 AS attempt, NULL AS at
FROM few f JOIN posting p ON p.app_id = :app_id AND p.id = f.id
CROSS JOIN LATERAL unnest(p.device_ids, p.person_ids) WITH ORDINALITY
    AS u(device_id, person_id, place)
WHERE f.before < :limit AND (p.id, u.place) > (:first, :second)
ORDER BY p.id, u.place LIMIT :limit
"""  # noqa: S608  All parts are ours.
_ENDED = """
SELECT l.{column} AS first, 0 AS second, l.device_id, l.person_id, l.state, l.reason, l.gateway,
       l.attempt, l.at
FROM ledger l
WHERE l.app_id = :app_id AND l.message_id = :message_id AND l.day = :day
  AND l.{column} > :first {condition}
ORDER BY l.{column} LIMIT :limit
"""
_SQL = {
    "open": _OPEN,
    "posting": _POSTING,
    "device": _ENDED.format(column="device_id", condition=""),
    "person": _ENDED.format(column="person_id", condition="AND l.device_id IS NULL"),
}
_WITH_DEVICES = """
SELECT p.*, d.public_id AS device
FROM ({page}) p LEFT JOIN device d ON d.app_id = :app_id AND d.id = p.device_id
ORDER BY p.first, p.second
"""


def of_message(
    connection: Connection, message: Message, limit: int, after: Place | None
) -> list[Listed]:
    """Return up to `limit` recipients: open ones, then those that ended, by device."""
    place, found = after or Place(), list[Listed]()
    if message.day is None:
        return found
    for stage in _STAGES[_STAGES.index(place.stage) :]:
        begin = place if stage == place.stage else Place(stage)
        found += _read(connection, message, begin, limit - len(found))
        if len(found) == limit:
            break
    return found


def _read(connection: Connection, message: Message, begin: Place, limit: int) -> Sequence[Listed]:
    found = rows(
        connection,
        _WITH_DEVICES.format(page=_SQL[begin.stage]),
        app_id=message.app_id,
        message_id=message.id,
        first=begin.first,
        limit=limit,
        **_others(message, begin),
    )
    return [
        Listed(Place(begin.stage, row.first, row.second), _entry(message, row)) for row in found
    ]


def _others(message: Message, begin: Place) -> Mapping[str, Any]:
    if begin.stage == "open":
        return {"second": begin.second, "state": message.state.value, **KILL_SWITCHES}
    if begin.stage == "posting":
        return {"second": begin.second}
    return {"day": message.day}


def _entry(message: Message, row: Any) -> HistoryEntry:
    return HistoryEntry(
        message_id=message.id,
        message=message.public_id,
        message_state=message.state.value,
        title=message.content.get("title"),
        lane=message.lane,
        scheduled_at=message.send_at,
        device_id=row.device_id or 0,
        device=row.device,
        person_id=row.person_id,
        state=row.state,
        reason=row.reason,
        gateway=row.gateway,
        attempt=row.attempt,
        at=row.at,
    )
