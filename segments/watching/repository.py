"""SQL of watched segments: what they mention, who may have changed sides, and who is in."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from segments.rules.node import Node
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from segments.rules.sql.statements import as_text


@dataclass(frozen=True, slots=True)
class Watch:
    """A watched segment: since when, when it was last compared, and how many are in."""

    since: datetime
    compared_at: datetime | None
    members: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Inner ids of who entered and who left."""

    entered: Sequence[int]
    left: Sequence[int]


_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('segment watch', :segment_id))"
_LOCK_DOUBTED = """
SELECT d.public_id, d.id FROM (
    SELECT s.public_id, s.id FROM segment_watch w
    JOIN segment s ON s.app_id = w.app_id AND s.id = w.segment_id
    WHERE w.app_id = :app_id AND w.compared_at IS NOT NULL AND EXISTS (
        SELECT FROM segment_doubt o WHERE o.app_id = w.app_id AND o.segment_id = w.segment_id)
    ORDER BY w.segment_id FOR KEY SHARE OF w) AS d
WHERE pg_try_advisory_xact_lock(hashtextextended('segment watch', d.id))
"""
_WATCH = """
INSERT INTO segment_watch (app_id, segment_id) VALUES (:app_id, :segment_id) ON CONFLICT DO NOTHING
RETURNING segment_id
"""
_UNMENTION = "DELETE FROM segment_mention WHERE app_id = :app_id AND segment_id = :segment_id"
_MENTION = """
INSERT INTO segment_mention (app_id, what, name, segment_id)
SELECT :app_id, what, name, :segment_id
FROM unnest(CAST(:whats AS text[]), CAST(:names AS text[])) AS m(what, name)
"""
# The beginning of time stands for "as soon as can be": see `hurry`.
_FIND = """
SELECT w.created_at, nullif(w.compared_at, to_timestamp(0)), (
    SELECT count(*) FROM segment_member m
    WHERE m.app_id = w.app_id AND m.segment_id = w.segment_id) AS members
FROM segment_watch w WHERE app_id = :app_id AND segment_id = :segment_id
"""
_WATCHED = """
SELECT s.public_id, s.id FROM segment_watch w
JOIN segment s ON s.app_id = w.app_id AND s.id = w.segment_id
WHERE w.app_id = :app_id ORDER BY s.id
"""
_TAKE = """
DELETE FROM segment_doubt d USING (
    SELECT o.app_id, o.id FROM segment_doubt o
    WHERE o.app_id = :app_id AND o.segment_id = ANY(:segments) ORDER BY o.id LIMIT :limit) t
WHERE d.app_id = t.app_id AND d.id = t.id RETURNING d.segment_id, d.person_id
"""
# What came before a first comparison is seen by that: until it begins, doubts need not be kept.
# While it runs they must be, as it may not see what commits meanwhile. So such segments are locked
# by one statement and looked at by the next, which sees what a comparison has committed.
_LOCK_NEW = """
SELECT w.segment_id FROM (
    SELECT segment_id FROM segment_watch w
    WHERE app_id = :app_id AND compared_at IS NULL AND EXISTS (
        SELECT FROM segment_doubt o WHERE o.app_id = w.app_id AND o.segment_id = w.segment_id)
    OFFSET 0) AS w
WHERE pg_try_advisory_xact_lock(hashtextextended('segment watch', w.segment_id))
"""
_FORGET = """
DELETE FROM segment_doubt d WHERE d.app_id = :app_id AND NOT EXISTS (
    SELECT FROM segment_watch w WHERE w.app_id = d.app_id AND w.segment_id = d.segment_id
      AND (w.compared_at IS NOT NULL OR w.segment_id <> ALL(:locked)))
"""
# Apps take turns: one with many segments, or with slow ones, comes to each of the others between.
_DUE = """
SELECT app_id, id, public_id FROM (
    SELECT w.app_id, s.id, s.public_id, w.compared_at, row_number() OVER (
        PARTITION BY w.app_id ORDER BY w.compared_at NULLS FIRST, s.id) AS turn
    FROM segment_watch w JOIN segment s ON s.app_id = w.app_id AND s.id = w.segment_id
    WHERE w.compared_at IS NULL
       OR w.compared_at < clock_timestamp() - make_interval(secs => :seconds)) AS d
ORDER BY turn, compared_at NULLS FIRST
"""
_SEEN = "SELECT compared_at FROM segment_watch WHERE app_id = :app_id AND segment_id = :segment_id"
# Not before the end: whoever changes a segment has all of its app compared soon, and would wait for
# the row. Where somebody did so meanwhile, the segment stays due.
_COMPARED = """
UPDATE segment_watch SET compared_at = clock_timestamp()
WHERE app_id = :app_id AND segment_id = :segment_id AND compared_at IS NOT DISTINCT FROM :seen
"""
_CHANGE = """
WITH added AS (
    INSERT INTO segment_member (app_id, segment_id, person_id)
    SELECT :app_id, :segment_id, id FROM unnest(CAST(:entered AS int8[])) AS e(id)
    ON CONFLICT DO NOTHING RETURNING person_id),
gone AS (
    DELETE FROM segment_member WHERE app_id = :app_id AND segment_id = :segment_id
      AND person_id = ANY(:left) RETURNING person_id)
SELECT true AS is_in, person_id FROM added UNION ALL SELECT false, person_id FROM gone
"""


# No more is counted than it takes to know.
_BUSY = """
SELECT w.id FROM unnest(CAST(:people AS int8[])) AS w(id)
WHERE (SELECT count(*) FROM (
           SELECT FROM event e WHERE e.app_id = :app_id AND e.person_id = w.id
           LIMIT :most_of_all + 1) AS few) > :most_of_all
   OR (SELECT count(*) FROM (
           SELECT FROM event e WHERE e.app_id = :app_id AND e.person_id = w.id
             AND e.name = ANY(:names) LIMIT :most + 1) AS few) > :most
"""
_MOST_OF_ALL = 50_000


def busy_among(
    connection: Connection, app_id: int, people: Iterable[int], names: Iterable[str], most: int
) -> set[int]:
    """Return who did more than `most` of some events, or very much at all."""
    values = {"people": sorted(people), "names": sorted(names), "most": most}
    found = rows(connection, _BUSY, app_id=app_id, most_of_all=_MOST_OF_ALL, **values)
    return {row.id for row in found}


def try_lock(connection: Connection, segment_id: int) -> bool:
    """Be the only one who says who is in a segment, until the transaction ends."""
    return bool(rows(connection, _LOCK, segment_id=segment_id)[0][0])


def lock_doubted(connection: Connection, app_id: int) -> dict[int, str]:
    """Do so for all segments with doubts that nobody else is at: public ids by inner ids."""
    return {row.id: row.public_id for row in rows(connection, _LOCK_DOUBTED, app_id=app_id)}


def watch(connection: Connection, app_id: int, segment_id: int) -> bool:
    """Watch a segment; return whether it was not watched before."""
    return bool(rows(connection, _WATCH, app_id=app_id, segment_id=segment_id))


def unwatch(connection: Connection, app_id: int, segment_id: int) -> bool:
    """Watch a segment no longer and forget who was in; return whether it was watched."""
    statement = """
        DELETE FROM segment_watch WHERE app_id = :app_id AND segment_id = :segment_id
        RETURNING segment_id
    """
    return bool(rows(connection, statement, app_id=app_id, segment_id=segment_id))


def find(connection: Connection, app_id: int, segment_id: int) -> Watch | None:
    """Return how a segment is watched."""
    found = rows(connection, _FIND, app_id=app_id, segment_id=segment_id)
    return Watch(*found[0]) if found else None


def watched(connection: Connection, app_id: int) -> dict[str, int]:
    """Return the watched segments of an app: inner ids by public ids."""
    return {row.public_id: row.id for row in rows(connection, _WATCHED, app_id=app_id)}


def set_mentions(
    connection: Connection, app_id: int, segment_id: int, mentions: Iterable[tuple[str, str]]
) -> None:
    """Replace what a segment reads: pairs of `event`, `attribute` or `about`, and a name."""
    own = {"app_id": app_id, "segment_id": segment_id}
    connection.execute(text(_UNMENTION), own)
    pairs = sorted(set(mentions))
    values = {"whats": [what for what, _ in pairs], "names": [name for _, name in pairs]}
    connection.execute(text(_MENTION), {**own, **values})


def apps_in_doubt(connection: Connection) -> list[int]:
    """Return the apps with doubts."""
    statement = """
        SELECT DISTINCT app_id FROM segment_watch w
        WHERE EXISTS (SELECT FROM segment_doubt d WHERE d.app_id = w.app_id) ORDER BY 1
    """
    return [row.app_id for row in rows(connection, statement)]


def forget_doubts(connection: Connection, app_id: int) -> None:
    """Drop the doubts that a first comparison will settle, and those of nobody who watches."""
    locked = [row.segment_id for row in rows(connection, _LOCK_NEW, app_id=app_id)]
    connection.execute(text(_FORGET), {"app_id": app_id, "locked": locked})


def take_doubts(
    connection: Connection, app_id: int, segments: Iterable[int], limit: int
) -> Mapping[int, set[int]]:
    """Remove the oldest doubts of segments that are locked; return whom they are about."""
    taken: defaultdict[int, set[int]] = defaultdict(set)
    for row in rows(connection, _TAKE, app_id=app_id, segments=sorted(segments), limit=limit):
        taken[row.segment_id].add(row.person_id)
    return taken


def due(connection: Connection, seconds: float) -> list[tuple[int, int, str]]:
    """Return segments that were not compared for so long: app, inner id, public id."""
    return [(row.app_id, row.id, row.public_id) for row in rows(connection, _DUE, seconds=seconds)]


def hurry(connection: Connection, app_id: int) -> None:
    """Have the segments of an app compared next that were compared before."""
    statement = """
        UPDATE segment_watch SET compared_at = to_timestamp(0)
        WHERE app_id = :app_id AND compared_at IS NOT NULL
    """
    connection.execute(text(statement), {"app_id": app_id})


def last_compared(
    connection: Connection, app_id: int, segment_id: int
) -> tuple[datetime | None] | None:
    """Return when a segment was compared last, if it ever was; None if nobody watches it."""
    found = rows(connection, _SEEN, app_id=app_id, segment_id=segment_id)
    return (found[0].compared_at,) if found else None


def mark_compared(
    connection: Connection, app_id: int, segment_id: int, seen: datetime | None
) -> None:
    """Note that a segment was compared, unless it is to be compared anew since it was `seen`."""
    values = {"app_id": app_id, "segment_id": segment_id, "seen": seen}
    connection.execute(text(_COMPARED), values)


def members_among(
    connection: Connection, app_id: int, segment_id: int, people: Iterable[int]
) -> set[int]:
    """Return which of some people are in, as far as is kept."""
    statement = """
        SELECT person_id FROM segment_member
        WHERE app_id = :app_id AND segment_id = :segment_id AND person_id = ANY(:people)
    """
    values = {"app_id": app_id, "segment_id": segment_id, "people": sorted(people)}
    return {row.person_id for row in rows(connection, statement, **values)}


def change(connection: Connection, app_id: int, segment_id: int, changes: Changes) -> Changes:
    """Write who is in now; return what was really different."""
    found = rows(
        connection,
        _CHANGE,
        app_id=app_id,
        segment_id=segment_id,
        entered=sorted(changes.entered),
        left=sorted(changes.left),
    )
    return _changes(found)


def compare(connection: Connection, segment_id: int, rule: Node, scope: Scope) -> Changes:
    """Ask a rule of everybody and write who is in now; return who entered and left."""
    matched, values = as_text(select_people(rule, scope))
    statement = f"""
        WITH present AS MATERIALIZED ({matched}),
        known AS MATERIALIZED (
            SELECT person_id FROM segment_member
            WHERE app_id = :app_id AND segment_id = :segment_id),
        added AS (
            INSERT INTO segment_member (app_id, segment_id, person_id)
            SELECT :app_id, :segment_id, id FROM (
                SELECT id FROM present EXCEPT SELECT person_id FROM known) AS e
            RETURNING person_id),
        gone AS (
            DELETE FROM segment_member m USING (
                SELECT person_id FROM known EXCEPT SELECT id FROM present) AS l
            WHERE m.app_id = :app_id AND m.segment_id = :segment_id
              AND m.person_id = l.person_id RETURNING m.person_id)
        SELECT true AS is_in, person_id FROM added UNION ALL SELECT false, person_id FROM gone
    """  # noqa: S608  All parts are ours.
    values |= {"app_id": scope.app_id, "segment_id": segment_id}
    return _changes(rows(connection, statement, **values))


def _changes(found: Sequence[Any]) -> Changes:
    return Changes(
        [row.person_id for row in found if row.is_in],
        [row.person_id for row in found if not row.is_in],
    )
