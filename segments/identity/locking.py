"""Taking people for oneself, so that who they are can be changed.

The order is the same for everybody: all names by their order, then the people by their own names.
Then only are new names made. Nobody waits in a circle.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from psycopg.errors import UniqueViolation
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from core.database import rows
from segments.identity.errors import TooMuchMovedError
from segments.identity.names import find_ids

_T = TypeVar("_T")
_ATTEMPTS = 20
_NAMES = """
SELECT external_id FROM person WHERE app_id = :app_id AND id = ANY(:ids)
UNION SELECT external_id FROM person_name
WHERE app_id = :app_id AND person_id = ANY(:ids) AND is_alias
"""
_LOCK_NAMES = """
SELECT external_id, person_id FROM person_name
WHERE app_id = :app_id AND external_id = ANY(:names)
ORDER BY external_id COLLATE "C" FOR UPDATE
"""
_LOCK_PEOPLE = """
SELECT id, external_id FROM person WHERE app_id = :app_id AND id = ANY(:ids)
ORDER BY external_id COLLATE "C" FOR UPDATE
"""


class OthersMovedError(Exception):
    """Somebody changed who these people are, between the look and the lock: look again."""


@dataclass(frozen=True, slots=True)
class Locked:
    """People who stay who they are until the transaction ends.

    `ids` has those that were named, by name; `own` their own names and `names` all, by id.
    """

    ids: dict[str, int]
    own: dict[int, str]
    names: dict[int, list[str]]


def settled(connection: Connection, work: Callable[[], _T]) -> _T:
    """Run `work`; when others came first, give its locks back and run it again."""
    for _ in range(_ATTEMPTS):
        try:
            with connection.begin_nested():
                return work()
        except OthersMovedError:
            continue
        except IntegrityError as error:
            if not isinstance(error.orig, UniqueViolation):
                raise
    raise TooMuchMovedError


def lock_named(connection: Connection, app_id: int, names: Sequence[str]) -> Locked:
    """Lock the people with these names, and all their names; raise `OthersMovedError`."""
    seen = find_ids(connection, app_id, names)
    locked = _lock(connection, app_id, sorted(set(seen.values())), names)
    if {name: one for name, one in locked.ids.items() if name in names} != seen:
        raise OthersMovedError
    return Locked({name: locked.ids[name] for name in seen}, locked.own, locked.names)


def lock_person(connection: Connection, app_id: int, person_id: int) -> Locked | None:
    """Lock a person and all its names; None if there is no such person any more."""
    locked = _lock(connection, app_id, [person_id], ())
    return locked if locked.own else None


def _lock(connection: Connection, app_id: int, ids: Sequence[int], wanted: Sequence[str]) -> Locked:
    listed = sorted({*_names_of(connection, app_id, ids), *wanted})
    found = rows(connection, _LOCK_NAMES, app_id=app_id, names=listed)
    people = rows(connection, _LOCK_PEOPLE, app_id=app_id, ids=list(ids))
    own = {row.id: row.external_id for row in people}
    by_name = {row.external_id: row.person_id for row in found}
    names: dict[int, list[str]] = {one: [] for one in own}
    for name, person_id in by_name.items():
        names.setdefault(person_id, []).append(name)
    # With their names held, nobody gives these people another one.
    held = {name for one in ids for name in names.get(one, ())}
    if held != set(_names_of(connection, app_id, ids)):
        raise OthersMovedError
    return Locked(by_name, own, names)


def _names_of(connection: Connection, app_id: int, ids: Sequence[int]) -> list[str]:
    return [row.external_id for row in rows(connection, _NAMES, app_id=app_id, ids=list(ids))]
