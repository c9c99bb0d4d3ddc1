"""SQL of suppressions: who is never sent to, whatever a message says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from core.database import rows

# The people who have a name that is suppressed, each once; needs `:app_id`. By an array, names are
# looked up in their index: a join would read the names of all people, in every parallel worker.
SUPPRESSED: Final = """
    SELECT DISTINCT n.person_id FROM person_name n
    WHERE n.app_id = :app_id AND n.external_id = ANY(ARRAY(
        SELECT x.external_id FROM suppression x WHERE x.app_id = :app_id))
"""

# The same for the people of `aimed a` alone, from their names: for a few of them.
SUPPRESSED_FEW: Final = """
    SELECT p.id AS person_id
    FROM (SELECT DISTINCT person_id FROM aimed) w
    JOIN person p ON p.app_id = :app_id AND p.id = w.person_id
    WHERE EXISTS (
        SELECT FROM suppression x WHERE x.app_id = :app_id AND x.external_id = p.external_id)
       OR EXISTS (
        SELECT FROM person_name n
        JOIN suppression x ON x.app_id = n.app_id AND x.external_id = n.external_id
        WHERE n.app_id = :app_id AND n.person_id = p.id AND n.is_alias)
"""


@dataclass(frozen=True, slots=True)
class Suppression:
    """A name that is never sent to."""

    id: int
    external_id: str
    reason: str | None
    source: str
    created_at: datetime


_COLUMNS = "id, external_id, reason, source, created_at"
# Who is on the list stays as it was put there first. One order, so that nobody waits in a circle.
_ADD = text("""
INSERT INTO suppression (app_id, external_id, reason, source)
SELECT :app_id, name, :reason, :source
FROM (SELECT DISTINCT name FROM unnest(CAST(:names AS text[])) AS given(name)) AS g
ORDER BY name COLLATE "C"
ON CONFLICT (app_id, external_id) DO NOTHING
RETURNING external_id
""")
_PASS_ON = text("""
INSERT INTO suppression (app_id, external_id, reason, source)
SELECT app_id, :own, reason, source FROM suppression
WHERE app_id = :app_id AND external_id = :name
ON CONFLICT (app_id, external_id) DO NOTHING
""")
_REMOVE = text("""
DELETE FROM suppression WHERE app_id = :app_id AND external_id = ANY(:names)
RETURNING external_id
""")
_AFTER = f"""
SELECT {_COLUMNS} FROM suppression WHERE app_id = :app_id AND id > :after
ORDER BY id LIMIT :limit
"""  # noqa: S608
_FIND = f"""
SELECT {_COLUMNS} FROM suppression WHERE app_id = :app_id AND external_id = :name
"""  # noqa: S608


def add(
    connection: Connection, app_id: int, names: Sequence[str], *, reason: str | None, source: str
) -> set[str]:
    """Put names on the list; return those that were not on it."""
    values = {"app_id": app_id, "names": list(names), "reason": reason, "source": source}
    return set(connection.execute(_ADD, values).scalars())


def pass_on(connection: Connection, app_id: int, name: str, own: str) -> None:
    """Suppress the own name of a person, too, if this other name of theirs is suppressed."""
    connection.execute(_PASS_ON, {"app_id": app_id, "name": name, "own": own})


def remove(connection: Connection, app_id: int, names: Sequence[str]) -> set[str]:
    """Take names off the list; return those that were on it."""
    return set(connection.execute(_REMOVE, {"app_id": app_id, "names": list(names)}).scalars())


def find(connection: Connection, app_id: int, name: str) -> Suppression | None:
    """Return the suppression of a name."""
    found = rows(connection, _FIND, app_id=app_id, name=name)
    return Suppression(*found[0]) if found else None


def list_after(connection: Connection, app_id: int, after: int, limit: int) -> list[Suppression]:
    """Return suppressions in the order they came, beginning behind the inner id `after`."""
    found = rows(connection, _AFTER, app_id=app_id, after=after, limit=limit)
    return [Suppression(*row) for row in found]
