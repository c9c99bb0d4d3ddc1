"""SQL of the names that lead to people: their own, and aliases.

Whoever stores the id of a person (a device, an event, a consent) gets it from `hold_ids`: until
that is committed, nobody merges the person away. Locks on names are always taken in their order.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, text

from core.database import rows

# Somebody anonymous is a person of a name that nobody else has.
ANONYMOUS = "anonymous:"

_FIND = """
SELECT external_id, person_id FROM person_name
WHERE app_id = :app_id AND external_id = ANY(:names)
"""
_HOLD = f"""{_FIND} ORDER BY external_id COLLATE "C" FOR KEY SHARE"""
# The small index of aliases alone: most apps have few.
_HOLD_ALIASES = """
SELECT external_id, person_id FROM person_name
WHERE app_id = :app_id AND external_id = ANY(:names) AND is_alias
ORDER BY external_id COLLATE "C" FOR KEY SHARE
"""
_CALLED = "SELECT id, external_id FROM person WHERE app_id = :app_id AND id = ANY(:ids)"


def find_ids(connection: Connection, app_id: int, names: Iterable[str]) -> dict[str, int]:
    """Return the inner ids of the people who exist, by any of their names."""
    found = rows(connection, _FIND, app_id=app_id, names=list(names))
    return {row.external_id: row.person_id for row in found}


def hold_ids(connection: Connection, app_id: int, names: Iterable[str]) -> dict[str, int]:
    """Return what `find_ids` does; until the transaction ends these people stay who they are."""
    found = rows(connection, _HOLD, app_id=app_id, names=list(names))
    return {row.external_id: row.person_id for row in found}


def hold_own_names(connection: Connection, app_id: int, names: Sequence[str]) -> Mapping[str, str]:
    """Return the own name of the person for each of `names` that is an alias.

    Until the transaction ends these aliases lead where they do.
    """
    found = rows(connection, _HOLD_ALIASES, app_id=app_id, names=list(names))
    if not found:
        return {}
    ids = sorted({row.person_id for row in found})
    called = {row.id: row.external_id for row in rows(connection, _CALLED, app_id=app_id, ids=ids)}
    return {row.external_id: called[row.person_id] for row in found}


def list_aliases(
    connection: Connection, app_id: int, person_id: int, *, after: str = "", limit: int = 200
) -> list[str]:
    """Return the other names of a person in their order, behind the name `after`."""
    found = rows(
        connection,
        """
        SELECT external_id FROM person_name
        WHERE app_id = :app_id AND person_id = :person_id AND is_alias
          AND external_id COLLATE "C" > :after
        ORDER BY external_id COLLATE "C" LIMIT :limit
        """,
        app_id=app_id,
        person_id=person_id,
        after=after,
        limit=limit,
    )
    return [row.external_id for row in found]


def is_anonymous(name: str) -> bool:
    """Tell whether a name is that of somebody who has not signed in."""
    return name.startswith(ANONYMOUS)


_ADD = text("""
INSERT INTO person_name (app_id, external_id, person_id, is_alias)
VALUES (:app_id, :name, :person_id, true) ON CONFLICT (app_id, external_id) DO NOTHING
RETURNING external_id
""")


def add_alias(connection: Connection, app_id: int, person_id: int, name: str) -> bool:
    """Give a person one more name; False when somebody else took it just now."""
    values = {"app_id": app_id, "name": name, "person_id": person_id}
    return connection.execute(_ADD, values).first() is not None


def remove_alias(connection: Connection, app_id: int, name: str) -> None:
    """Let an alias lead nowhere."""
    connection.execute(
        text("DELETE FROM person_name WHERE app_id = :app_id AND external_id = :name AND is_alias"),
        {"app_id": app_id, "name": name},
    )


def turn(
    connection: Connection, app_id: int, names: Sequence[str], person_id: int, *, own: str
) -> None:
    """Let names lead to a person; all of them but `own` are aliases then."""
    connection.execute(
        text("""
        UPDATE person_name SET person_id = :person_id, is_alias = external_id <> :own
        WHERE app_id = :app_id AND external_id = ANY(:names)
        """),
        {"app_id": app_id, "names": list(names), "person_id": person_id, "own": own},
    )
