"""From the names by which callers know people to people: the one place that does it.

Ingest, imports and whoever else writes about people by name come through here, so that aliases
and merges are known in one place only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.errors import UniqueViolation

from delivery.chunks.arrays import numbers
from segments.identity.errors import TooMuchMovedError
from segments.identity.names import ANONYMOUS
from segments.people.telling import tell_new

_ATTEMPTS = 20
# By name: the inner id, and whether analytics are allowed.
_Found = dict[str, tuple[int, bool]]


class RefKind(StrEnum):
    """What sort of name it is."""

    EXTERNAL = "external"  # the id in the caller's own system
    ANONYMOUS = "anonymous"  # made up by an app for somebody who has not signed in


@dataclass(frozen=True, slots=True)
class PersonRef:
    """A name by which a caller knows a person."""

    kind: RefKind
    name: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Whom a name means. `analytics` is whether what this person does may be kept."""

    person_id: int
    analytics: bool
    is_new: bool


# Rows are taken in the order of their names, as everywhere: nobody waits in a circle. The key
# share keeps a merge away until what is written about this person is committed.
# OFFSET 0 makes each look-up go by the name, whatever the planner believes of a new table.
_HOLD = """
SELECT n.external_id, n.person_id, a.analytics_by_default
FROM app a, unnest(CAST(%(names)s AS text[])) AS wanted(name), LATERAL (
    SELECT person_id, external_id FROM person_name
    WHERE app_id = a.id AND external_id = wanted.name
    FOR KEY SHARE OFFSET 0) AS n
WHERE a.id = %(app_id)s
"""
# A statement of its own: it sees what was decided before the names could be held.
_SAID = """
SELECT c.person_id, c.granted FROM unnest(CAST(%(ids)s AS int8[])) AS wanted(id), LATERAL (
    SELECT person_id, granted FROM consent
    WHERE app_id = %(app_id)s AND person_id = wanted.id AND kind = 'analytics' OFFSET 0) AS c
"""
_ADD = """
INSERT INTO person (app_id, external_id)
SELECT %(app_id)s, name FROM unnest(CAST(%(names)s AS text[])) AS wanted(name)
ORDER BY name COLLATE "C"
ON CONFLICT (app_id, external_id) DO NOTHING
RETURNING external_id
"""


def resolve_people(
    connection: psycopg.Connection[Any], app_id: int, refs: Iterable[PersonRef]
) -> Mapping[PersonRef, Resolved]:
    """Return whom each name means, in the caller's transaction; unknown names make people.

    Until the transaction ends, nobody merges or deletes these people. Raises `TooMuchMovedError`.
    """
    named = {ref: external_id(ref) for ref in refs}
    names = sorted(set(named.values()))
    found, added = _settle(connection, app_id, names)
    if added:
        tell_new(connection, app_id, sorted(added))
    return {
        ref: Resolved(found[name][0], found[name][1], is_new=name in added)
        for ref, name in named.items()
    }


def _settle(
    connection: psycopg.Connection[Any], app_id: int, names: Sequence[str]
) -> tuple[_Found, set[str]]:
    """Hold those who exist, make the others; when somebody else made one, begin again.

    Who holds a new name waits for no old one: merges, which take all old names first, may have it.
    """
    for _ in range(_ATTEMPTS):
        with connection.pipeline():
            connection.execute("SAVEPOINT people")
            rows = _hold(connection, app_id, names)
        found = _to_found(rows)
        missing = [name for name in names if name not in found]
        added = _add(connection, app_id, missing) if missing else set[str]()
        if len(added) == len(missing):
            found |= _to_found(_hold(connection, app_id, missing)) if missing else {}
            return _with_said(connection, app_id, found), added
        # No savepoint lies within this one: who waits for what one that was released has made,
        # waits for the end of the whole transaction.
        connection.execute("ROLLBACK TO SAVEPOINT people")
        connection.execute("RELEASE SAVEPOINT people")
    raise TooMuchMovedError


def _add(connection: psycopg.Connection[Any], app_id: int, names: Sequence[str]) -> set[str]:
    """Make people of names that led to nobody; those made by somebody else are left out."""
    try:
        return {row[0] for row in connection.execute(_ADD, {"app_id": app_id, "names": names})}
    except UniqueViolation:
        # One became an alias at this moment: the next look finds whose.
        return set()


def _hold(
    connection: psycopg.Connection[Any], app_id: int, names: Sequence[str]
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Hold those who exist: their names, inner ids, and what the app allows by default."""
    return connection.execute(_HOLD, {"app_id": app_id, "names": list(names)})


def _with_said(connection: psycopg.Connection[Any], app_id: int, found: _Found) -> _Found:
    """Return what people have said in the place of the default, and release the savepoint."""
    ids = sorted({person_id for person_id, _ in found.values()})
    with connection.pipeline():
        said = connection.execute(_SAID, {"app_id": app_id, "ids": numbers(ids)})
        connection.execute("RELEASE SAVEPOINT people")
    told = dict(said.fetchall())
    return {name: (one, told.get(one, by_default)) for name, (one, by_default) in found.items()}


def _to_found(rows: Iterable[tuple[Any, ...]]) -> _Found:
    return {name: (person_id, analytics) for name, person_id, analytics in rows}


def external_id(ref: PersonRef) -> str:
    """Return the name under which a person is stored."""
    return ref.name if ref.kind is RefKind.EXTERNAL else f"{ANONYMOUS}{ref.name}"
