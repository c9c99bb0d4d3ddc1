"""SQL of attributes: their names, what was declared, and how many people hold which kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from core.database import rows
from segments.attributes.kinds import Kind
from segments.attributes.tables import attribute

# Any number that nobody else adds to the number of an app for an advisory lock.
_LOCK_SPACE = 0x617474


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an app.

    `kinds` is exact, in the moment of reading: how many people hold a value of each. What follows
    is of the last sample, None before the first: how many values were in it, how many different
    ones (of all people; counted if `is_whole`, estimated otherwise), and the most frequent.
    """

    id: int
    name: str
    declared: str | None
    on_merge: str
    created_at: datetime
    updated_at: datetime
    kinds: Mapping[str, int]
    values_seen: int | None
    distinct_values: int | None
    is_whole: bool | None
    examples: Sequence[Any] | None
    sampled_at: datetime | None


_LIST = """
WITH listed AS (
    SELECT * FROM attribute WHERE app_id = :app_id AND {condition}),
held AS (
    SELECT name, kind, sum(people)::bigint AS people FROM (
        SELECT name, kind, people FROM attribute_count
        WHERE app_id = :app_id AND name IN (SELECT name FROM listed)
        UNION ALL
        SELECT name, kind, people FROM attribute_delta
        WHERE app_id = :app_id AND name IN (SELECT name FROM listed)) AS both_of
    GROUP BY name, kind HAVING sum(people) <> 0)
SELECT a.id, a.name, a.declared, a.on_merge, a.created_at, a.updated_at,
       coalesce((SELECT jsonb_object_agg(h.kind, h.people) FROM held h WHERE h.name = a.name),
                '{{}}') AS kinds,
       p.values_seen, p.distinct_values, p.is_whole, p.examples, s.at AS sampled_at
FROM listed a
LEFT JOIN attribute_profile p ON p.app_id = a.app_id AND p.name = a.name
LEFT JOIN attribute_scan s ON s.app_id = a.app_id AND p.name IS NOT NULL
ORDER BY a.id
"""
_AFTER = _LIST.format(condition="id > :after ORDER BY id LIMIT :limit")
_ONE = _LIST.format(condition="name = :name")

_ROLL_UP = text("""
WITH taken AS (
    DELETE FROM attribute_delta WHERE id IN (
        SELECT id FROM attribute_delta ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING app_id, name, kind, people),
named AS (
    INSERT INTO attribute (app_id, name)
    SELECT DISTINCT t.app_id, t.name FROM taken t WHERE t.people > 0 AND EXISTS (
        SELECT FROM app WHERE id = t.app_id)
    ORDER BY 1, 2 ON CONFLICT (app_id, name) DO NOTHING)
INSERT INTO attribute_count AS c (app_id, name, kind, people)
SELECT app_id, name, kind, sum(people) FROM taken GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (app_id, name, kind)
DO UPDATE SET people = c.people + excluded.people, updated_at = now()
""")
# A name that somebody takes up again at this moment comes back with the next roll-up.
_FORGET = """
WITH empty AS (
    DELETE FROM attribute_count c WHERE people = 0 AND updated_at < now() - interval '1 hour'
      AND NOT EXISTS (SELECT FROM attribute_delta d
                      WHERE d.app_id = c.app_id AND d.name = c.name AND d.kind = c.kind))
DELETE FROM attribute a
WHERE declared IS NULL AND on_merge = 'newest' AND created_at < now() - interval '1 hour'
  AND NOT EXISTS (SELECT FROM attribute_count c
                  WHERE c.app_id = a.app_id AND c.name = a.name AND c.people <> 0)
  AND NOT EXISTS (SELECT FROM attribute_delta d WHERE d.app_id = a.app_id AND d.name = a.name)
"""


def find_declared(
    connection: Connection, app_id: int, names: Iterable[str]
) -> dict[str, Kind | None]:
    """Return what was declared for those of the names that the app has."""
    found = rows(
        connection,
        "SELECT name, declared FROM attribute WHERE app_id = :app_id AND name = ANY(:names)",
        app_id=app_id,
        names=list(names),
    )
    return {row.name: Kind(row.declared) if row.declared else None for row in found}


def lock_names(connection: Connection, app_id: int) -> None:
    """Let nobody else bring new names to this app until the transaction ends."""
    rows(
        connection,
        "SELECT pg_advisory_xact_lock(:space, CAST(:app_id % 2147483647 AS integer))",
        space=_LOCK_SPACE,
        app_id=app_id,
    )


def list_names(connection: Connection, app_id: int) -> set[str]:
    """Return all names an app has."""
    found = rows(connection, "SELECT name FROM attribute WHERE app_id = :app_id", app_id=app_id)
    return {row.name for row in found}


def add_names(connection: Connection, app_id: int, names: Sequence[str]) -> None:
    """Store names that are new."""
    if names:
        statement = insert(attribute).on_conflict_do_nothing()
        connection.execute(statement, [{"app_id": app_id, "name": name} for name in names])


def list_after(connection: Connection, app_id: int, after: int, limit: int) -> list[Attribute]:
    """Return attributes in the order they came up, beginning behind the inner id `after`."""
    found = rows(connection, _AFTER, app_id=app_id, after=after, limit=limit)
    return [Attribute(*row) for row in found]


def find(connection: Connection, app_id: int, name: str) -> Attribute | None:
    """Return one attribute."""
    found = rows(connection, _ONE, app_id=app_id, name=name)
    return Attribute(*found[0]) if found else None


def declare(connection: Connection, app_id: int, name: str, columns: Mapping[str, Any]) -> None:
    """Set what is declared about an attribute, which may be new."""
    statement = insert(attribute).values(app_id=app_id, name=name, **columns)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["app_id", "name"], set_={**columns, "updated_at": sa.func.now()}
        )
    )


def roll_up(connection: Connection, limit: int = 10_000) -> None:
    """Fold the oldest deltas into the counts; safe to run in several schedulers at once."""
    connection.execute(_ROLL_UP, {"limit": limit})


def forget_unused(connection: Connection) -> None:
    """Forget names that nobody has and nothing was declared about."""
    connection.execute(text(_FORGET))
