"""SQL of static lists: people who are named one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from core.database import rows
from core.errors import ConflictError, NotFoundError


class ListNotFoundError(NotFoundError):
    """There is no such list in this app. Check the id and the app the key belongs to."""

    code = "list_not_found"


class ListInUseError(ConflictError):
    """Segments name this list. Change their rules first; the detail says which they are."""

    code = "list_in_use"


@dataclass(frozen=True, slots=True)
class StaticList:
    """A static list, and how many people are on it."""

    id: int
    public_id: str
    name: str
    people: int
    created_at: datetime
    updated_at: datetime


_COLUMNS: Final = """
    l.id, l.public_id, l.name,
    (SELECT count(*) FROM list_member m WHERE m.app_id = l.app_id AND m.list_id = l.id) AS people,
    l.created_at, l.updated_at
"""
_FIND = f"""
SELECT {_COLUMNS} FROM segment_list l WHERE l.app_id = :app_id AND l.public_id = :public_id
"""  # noqa: S608
_AFTER = f"""
SELECT {_COLUMNS} FROM segment_list l WHERE l.app_id = :app_id AND l.id > :after
ORDER BY l.id LIMIT :limit
"""  # noqa: S608
# An id is a text of a rule like no other.
_NAMING = """
SELECT public_id FROM segment
WHERE app_id = :app_id AND strpos(CAST(rule AS text), :quoted) > 0 ORDER BY id LIMIT 10
"""
_CREATE = text("""
INSERT INTO segment_list (app_id, public_id, name) VALUES (:app_id, :public_id, :name)
""")
_LOCK = text("""
UPDATE segment_list SET updated_at = clock_timestamp() WHERE app_id = :app_id AND id = :id
""")
# By a join: `<> ALL` compares everybody with everybody once its plan is kept.
_KEEP = text("""
DELETE FROM list_member m WHERE m.app_id = :app_id AND m.list_id = :id AND NOT EXISTS (
    SELECT FROM unnest(CAST(:people AS int8[])) AS given(person_id)
    WHERE given.person_id = m.person_id)
""")
_ADD = text("""
INSERT INTO list_member (app_id, list_id, person_id)
SELECT :app_id, :id, person_id FROM unnest(CAST(:people AS int8[])) AS given(person_id)
ORDER BY person_id ON CONFLICT (app_id, list_id, person_id) DO NOTHING
""")


def get(connection: Connection, app_id: int, public_id: str) -> StaticList:
    """Return a list; raises `ListNotFoundError`."""
    found = rows(connection, _FIND, app_id=app_id, public_id=public_id)
    if not found:
        raise ListNotFoundError
    return StaticList(*found[0])


def list_after(connection: Connection, app_id: int, after: int, limit: int) -> list[StaticList]:
    """Return lists in the order they were made, beginning behind the inner id `after`."""
    found = rows(connection, _AFTER, app_id=app_id, after=after, limit=limit)
    return [StaticList(*row) for row in found]


def create(connection: Connection, app_id: int, public_id: str, name: str) -> None:
    """Store an empty list."""
    connection.execute(_CREATE, {"app_id": app_id, "public_id": public_id, "name": name})


def put_members(
    connection: Connection, app_id: int, list_id: int, people: Sequence[int], *, replace: bool
) -> None:
    """Put people on a list by their inner ids; with `replace`, nobody else stays on it."""
    values = {"app_id": app_id, "id": list_id, "people": list(people)}
    connection.execute(_LOCK, {"app_id": app_id, "id": list_id})
    if replace:
        connection.execute(_KEEP, values)
    connection.execute(_ADD, values)


def naming(connection: Connection, app_id: int, public_id: str) -> Sequence[str]:
    """Return segments whose rules name this list, up to ten."""
    values = {"app_id": app_id, "quoted": f'"{public_id}"'}
    return [row.public_id for row in rows(connection, _NAMING, **values)]


def delete(connection: Connection, app_id: int, list_id: int) -> None:
    """Remove a list; its people stay."""
    connection.execute(
        text("DELETE FROM segment_list WHERE app_id = :app_id AND id = :id"),
        {"app_id": app_id, "id": list_id},
    )
