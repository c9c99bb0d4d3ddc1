"""SQL of receipts: whose deliveries they are, storing them, and reading those of one delivery."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from delivery.messages.message import Message
from delivery.receipts.receipt import Reached

Place = tuple[int, int]  # inner ids of message and device
Key = tuple[int, int, str]  # the same, and the milestone


@dataclass(frozen=True, slots=True)
class Known:
    """A message that has been cut, as far as receipts need it."""

    tag: str
    id: int
    public_id: str
    day: date
    started_at: datetime
    is_test: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `receipt`."""

    key: Key
    message: Known
    person_id: int | None
    at: datetime
    is_implied: bool

    def to_fact(self) -> dict[str, Any]:
        """Return what the outbox keeps of it."""
        return {
            "message": self.message.public_id,
            "is_test": self.message.is_test,
            "device": self.key[1],
            "person": self.person_id,
            "at": self.at.isoformat(),
        }


# The expression of the index `message_delivery_idx`.
_TAG = "substr(encode(sha256(public_id::bytea), 'hex'), 1, 15)"
_MESSAGES = f"""
SELECT {_TAG} AS tag, id, public_id, day, started_at, is_test FROM message
WHERE app_id = :app_id AND {_TAG} = ANY(:tags) AND day IS NOT NULL AND started_at IS NOT NULL
"""  # noqa: S608  The expression is ours.
# A push that has arrived may not have been recorded yet: then its recipient is open in a chunk
# that a worker has taken up. One statement, so that it is found in one of both places. Chunks are
# asked only for whom the ledger does not know: arrays of a few are compared, many are joined.
# OFFSET 0 makes each look-up go by the key of the ledger. What expired or was suppressed had left
# only if it was tried again; a first try in doubt ends as unknown.
_OWNERS = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:messages AS int8[]), CAST(:days AS date[]),
                         CAST(:devices AS int8[])) AS w(message_id, day, device_id)),
ended AS MATERIALIZED (
    SELECT w.message_id, w.device_id, l.person_id, l.has_left
    FROM wanted w LEFT JOIN LATERAL (
        SELECT l.person_id, l.state NOT IN ('suppressed', 'expired') OR l.attempt > 1 AS has_left
        FROM ledger l
        WHERE l.app_id = :app_id AND l.message_id = w.message_id AND l.device_id = w.device_id
          AND l.day = w.day OFFSET 0) l ON true),
missing AS MATERIALIZED (SELECT message_id, device_id FROM ended WHERE has_left IS NULL)
SELECT message_id, device_id, person_id FROM ended WHERE has_left
UNION ALL
SELECT c.message_id, u.device_id, u.person_id
FROM chunk c
CROSS JOIN LATERAL unnest(c.device_ids, c.person_ids) WITH ORDINALITY
    AS u(device_id, person_id, place)
JOIN missing w ON w.message_id = c.message_id AND w.device_id = u.device_id
WHERE c.app_id = :app_id AND c.message_id = ANY(ARRAY(SELECT message_id FROM missing))
  AND c.first_attempt_at IS NOT NULL
  AND CASE WHEN (SELECT count(*) FROM missing) <= 20
           THEN c.device_ids && ARRAY(SELECT device_id FROM missing) ELSE true END
  AND (u.place > c.intended OR u.place - 1 = ANY(c.open))
"""
_ADD = """
INSERT INTO receipt (app_id, day, message_id, device_id, milestone, person_id, at, is_implied)
SELECT :app_id, r.day, r.message_id, r.device_id, r.milestone, r.person_id,
       least(r.at, clock_timestamp()), r.is_implied
FROM unnest(CAST(:days AS date[]), CAST(:messages AS int8[]), CAST(:devices AS int8[]),
            CAST(:milestones AS text[]), CAST(:people AS int8[]), CAST(:moments AS timestamptz[]),
            CAST(:implied AS bool[]))
    AS r(day, message_id, device_id, milestone, person_id, at, is_implied)
ORDER BY r.message_id, r.device_id, r.milestone
ON CONFLICT DO NOTHING
RETURNING message_id, device_id, milestone
"""
_CONFIRM = """
WITH known AS MATERIALIZED (
    SELECT k.app_id, k.day, k.message_id, k.device_id, r.at
    FROM unnest(CAST(:days AS date[]), CAST(:messages AS int8[]), CAST(:devices AS int8[]),
                CAST(:moments AS timestamptz[])) AS r(day, message_id, device_id, at)
    JOIN receipt k ON k.app_id = :app_id AND k.day = r.day AND k.message_id = r.message_id
     AND k.device_id = r.device_id AND k.milestone = 'confirmed'
    WHERE k.is_implied
    ORDER BY k.message_id, k.device_id FOR UPDATE OF k)
UPDATE receipt k SET at = least(k.at, n.at), is_implied = false
FROM known n
WHERE k.app_id = :app_id AND k.day = n.day AND k.message_id = n.message_id
  AND k.device_id = n.device_id AND k.milestone = 'confirmed' AND k.is_implied
RETURNING k.message_id, k.device_id, k.milestone
"""
_COUNT = text("""
INSERT INTO message_delta (app_id, message_id, state, recipients)
SELECT :app_id, c.message_id, c.milestone, c.recipients
FROM unnest(CAST(:messages AS int8[]), CAST(:milestones AS text[]), CAST(:counts AS int8[]))
    AS c(message_id, milestone, recipients)
""")
_REACHED = """
SELECT milestone, at, is_implied FROM receipt
WHERE app_id = :app_id AND message_id = :message_id AND device_id = :device_id AND day = :day
ORDER BY milestone
"""

_OF_MANY = """
SELECT r.message_id, r.device_id, r.milestone, r.at
FROM unnest(CAST(:messages AS int8[]), CAST(:devices AS int8[])) AS w(message_id, device_id),
LATERAL (SELECT * FROM receipt r
         WHERE r.app_id = :app_id AND r.message_id = w.message_id
           AND r.device_id = w.device_id OFFSET 0) r
"""


def find_messages(connection: Connection, app_id: int, tags: Sequence[str]) -> list[Known]:
    """Return the messages of an app that were cut, by the tags that ids of deliveries begin with.

    Two messages of one tag are all but impossible; both are returned.
    """
    if not tags:
        return []
    return [Known(*row) for row in rows(connection, _MESSAGES, app_id=app_id, tags=list(tags))]


def find_owners(
    connection: Connection, app_id: int, wanted: Mapping[Place, Known]
) -> dict[Place, int | None]:
    """Return who was sent to at each place; those to whom nothing can have left are absent."""
    if not wanted:
        return {}
    found = rows(
        connection,
        _OWNERS,
        app_id=app_id,
        messages=[message_id for message_id, _ in wanted],
        days=[message.day for message in wanted.values()],
        devices=[device_id for _, device_id in wanted],
    )
    return {(row.message_id, row.device_id): row.person_id for row in found}


def add(connection: Connection, app_id: int, entries: Sequence[Entry]) -> set[Key]:
    """Store what was not known; return the keys of it."""
    if not entries:
        return set()
    found = rows(
        connection,
        _ADD,
        app_id=app_id,
        **_columns(entries),
        milestones=[one.key[2] for one in entries],
        people=[one.person_id for one in entries],
        implied=[one.is_implied for one in entries],
    )
    return {tuple(row) for row in found}


def confirm(connection: Connection, app_id: int, entries: Sequence[Entry]) -> set[Key]:
    """Note that an arrival was reported that had only been concluded; return the keys of those.

    The earlier of both times stays.
    """
    if not entries:
        return set()
    found = rows(connection, _CONFIRM, app_id=app_id, **_columns(entries))
    return {tuple(row) for row in found}


def _columns(entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "days": [one.message.day for one in entries],
        "messages": [one.key[0] for one in entries],
        "devices": [one.key[1] for one in entries],
        "moments": [one.at for one in entries],
    }


def add_counts(connection: Connection, app_id: int, counts: Mapping[tuple[int, str], int]) -> None:
    """Add to what is counted of messages, by inner id and milestone."""
    if counts:
        values = {
            "app_id": app_id,
            "messages": [message_id for message_id, _ in counts],
            "milestones": [milestone for _, milestone in counts],
            "counts": list(counts.values()),
        }
        connection.execute(_COUNT, values)


def reached(connection: Connection, message: Message, device_id: int) -> Sequence[Reached]:
    """Return the milestones of one delivery, in the order in which they come."""
    found = rows(
        connection,
        _REACHED,
        app_id=message.app_id,
        message_id=message.id,
        device_id=device_id,
        day=message.day,
    )
    return [Reached(*row) for row in found]


def reached_by(
    connection: Connection, app_id: int, places: Collection[Place]
) -> dict[Place, dict[str, datetime]]:
    """Return when deliveries came to their milestones; those without any are absent."""
    if not places:
        return {}
    found: dict[Place, dict[str, datetime]] = {}
    values = {
        "messages": [message_id for message_id, _ in places],
        "devices": [device_id for _, device_id in places],
    }
    for row in rows(connection, _OF_MANY, app_id=app_id, **values):
        found.setdefault((row.message_id, row.device_id), {})[row.milestone] = row.at
    return found
