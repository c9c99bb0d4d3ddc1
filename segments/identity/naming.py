"""More names for a person, and somebody anonymous who turns out to be known."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from segments.identity import merges, names, repository
from segments.identity.errors import (
    AliasNotFoundError,
    AliasTakenError,
    AlreadyIdentifiedError,
    SamePersonError,
    SplitRefusedError,
    TooManyAliasesError,
)
from segments.identity.locking import Locked, OthersMovedError, lock_named, settled
from segments.identity.merge import Merge
from segments.identity.merging import NAMES_LIMIT, join, require_known
from segments.people import repository as people
from segments.people.person import PersonChange
from segments.people.telling import tell_changed
from segments.suppressions import repository as suppressions


class Outcome(StrEnum):
    """What identifying somebody came to."""

    CREATED = "created"
    ALIASED = "aliased"
    NAMED = "named"
    MERGED = "merged"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Identified:
    """The own name of the person, what was done, and the merge if there was one."""

    external_id: str
    outcome: Outcome
    merge: Merge | None = None


def alias(connection: Connection, app_id: int, person: str, name: str) -> Outcome:
    """Give a person one more name; somebody anonymous is called by the first known one.

    Raises `InvalidPayloadError` for an unknown person, `AliasTakenError`, `TooManyAliasesError`.
    """
    return settled(connection, lambda: _alias(connection, app_id, person, name))


def _alias(connection: Connection, app_id: int, person: str, name: str) -> Outcome:
    locked = lock_named(connection, app_id, [person, name])
    require_known(locked, {"person": person})
    person_id = locked.ids[person]
    if name in locked.ids:
        if locked.ids[name] != person_id:
            raise AliasTakenError
        return Outcome.UNCHANGED
    _add(connection, app_id, locked, person_id, name)
    return Outcome.ALIASED


def _add(connection: Connection, app_id: int, locked: Locked, person_id: int, name: str) -> None:
    if len(locked.names[person_id]) >= NAMES_LIMIT:
        raise TooManyAliasesError(f"A person may have {NAMES_LIMIT} names.")
    is_first = names.is_anonymous(locked.own[person_id]) and not names.is_anonymous(name)
    if is_first:
        # The person stays who it is: its events, devices and history need not move. The name is
        # taken by making somebody of it for a moment: who has just made it is waited for now, and
        # not when this person is changed already, for whom others may wait.
        if not people.insert_new(connection, app_id, [PersonChange(name)]):
            raise OthersMovedError
        repository.remove_person(
            connection, app_id, names.find_ids(connection, app_id, [name])[name]
        )
        repository.rename(connection, app_id, person_id, name)
    if not names.add_alias(connection, app_id, person_id, name):
        raise OthersMovedError
    if is_first:
        everything = [*locked.names[person_id], name]
        names.turn(connection, app_id, everything, person_id, own=name)
        tell_changed(connection, app_id, (), [name])


def identify(connection: Connection, app_id: int, anonymous: str, person: str) -> Identified:
    """Say that somebody anonymous is a known person; both come into being where they are new.

    `anonymous` is the name with its prefix. Raises `AlreadyIdentifiedError` when the anonymous
    name belongs to another known person already, `SamePersonError` when both names are the same.
    """
    if anonymous == person:
        raise SamePersonError("Both names are the same.")
    return settled(connection, lambda: _identify(connection, app_id, anonymous, person))


def _identify(connection: Connection, app_id: int, anonymous: str, person: str) -> Identified:
    locked = lock_named(connection, app_id, [anonymous, person])
    known_id, anonymous_id = locked.ids.get(person), locked.ids.get(anonymous)
    if anonymous_id is None:
        return _name_new(connection, app_id, locked, anonymous, person)
    if known_id is None:
        if not names.is_anonymous(locked.own[anonymous_id]):
            raise AlreadyIdentifiedError
        _add(connection, app_id, locked, anonymous_id, person)
        if names.is_anonymous(person):
            # Nobody is known by it yet.
            return Identified(locked.own[anonymous_id], Outcome.ALIASED)
        return Identified(person, Outcome.NAMED)
    own = locked.own[known_id]
    if known_id == anonymous_id:
        return Identified(own, Outcome.UNCHANGED)
    if not names.is_anonymous(locked.own[anonymous_id]):
        raise AlreadyIdentifiedError
    made = join(connection, app_id, locked, known_id, anonymous_id)
    return Identified(own, Outcome.MERGED, made)


def _name_new(
    connection: Connection, app_id: int, locked: Locked, anonymous: str, person: str
) -> Identified:
    """Give the new anonymous name to the known person, who may be new, too."""
    if person in locked.ids:
        person_id = locked.ids[person]
        _add(connection, app_id, locked, person_id, anonymous)
        return Identified(locked.own[person_id], Outcome.ALIASED)
    # New names are made in their order by everybody.
    first, second = sorted((anonymous, person))
    if not people.insert_new(connection, app_id, [PersonChange(first)]):
        raise OthersMovedError
    made = lock_named(connection, app_id, [first])
    if first not in made.ids:
        raise OthersMovedError
    own = first if names.is_anonymous(person) else person
    tell_changed(connection, app_id, [own])
    _add(connection, app_id, made, made.ids[first], second)
    return Identified(own, Outcome.CREATED)


def remove_alias(connection: Connection, app_id: int, name: str) -> str:
    """Let an alias lead nowhere; return the own name of the person it led to.

    What came under it stays with the person, so only names are removed that joined nothing:
    raises `SplitRefusedError` for a person's own name, for names that came by a merge, and for
    those of somebody anonymous.
    """
    return settled(connection, lambda: _remove(connection, app_id, name))


def _remove(connection: Connection, app_id: int, name: str) -> str:
    locked = lock_named(connection, app_id, [name])
    if name not in locked.ids:
        raise AliasNotFoundError
    person_id = locked.ids[name]
    own = locked.own[person_id]
    if own == name:
        raise SplitRefusedError("This is the person's own name, not an alias.")
    joined = merges.find_joined(connection, app_id, person_id, [name])
    if joined is not None:
        raise SplitRefusedError(
            f"The name came by the merge {joined.public_id}, which can be undone as a whole in "
            "its time. Nobody knows which events and changes came under which name."
        )
    if names.is_anonymous(name):
        raise SplitRefusedError
    # What came under the name stays: who must not be sent to is not reached by losing a name.
    suppressions.pass_on(connection, app_id, name, own)
    names.remove_alias(connection, app_id, name)
    return own
