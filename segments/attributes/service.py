"""Which attributes an app has, and whether those that come may."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from core.errors import FieldError
from segments.attributes import repository
from segments.attributes.kinds import find_faults, pointer_of
from segments.people.person import PersonChange

_Key = TypeVar("_Key", bound=Hashable)


def admit(
    connection: Connection,
    app_id: int,
    changes: Mapping[_Key, PersonChange],
    *,
    names_limit: int,
) -> dict[_Key, Sequence[FieldError]]:
    """Return what is wrong with changes by their keys; new names of the others are stored.

    To be called before anybody is written about: it may wait for others who bring new names.
    """
    names = {name for change in changes.values() for name in change.attributes}
    declared = repository.find_declared(connection, app_id, names)
    kinds = {name: kind for name, kind in declared.items() if kind is not None}
    faults: dict[_Key, Sequence[FieldError]] = {}
    for key, change in changes.items():
        found = list(find_faults(change.attributes, kinds))
        if found:
            faults[key] = found
    if names - declared.keys():
        good = {key: change for key, change in changes.items() if key not in faults}
        faults |= _admit_new(connection, app_id, good, names_limit)
    return faults


def _admit_new(
    connection: Connection, app_id: int, changes: Mapping[_Key, PersonChange], limit: int
) -> dict[_Key, Sequence[FieldError]]:
    repository.lock_names(connection, app_id)
    known = repository.list_names(connection, app_id)
    before = set(known)
    faults: dict[_Key, Sequence[FieldError]] = {}
    for key, change in changes.items():
        new = set(_given(change)) - known
        if len(known) + len(new) > limit:
            words = f"An app may have {limit} attributes; nobody has this one yet."
            faults[key] = [
                FieldError(pointer_of(name), "too_many_names", words) for name in sorted(new)
            ]
        else:
            known |= new
    repository.add_names(connection, app_id, sorted(known - before))
    return faults


def _given(change: PersonChange) -> Iterable[str]:
    # To remove what nobody has makes no name.
    return (name for name, value in change.attributes.items() if value is not None)
