"""Two people become one, and become two again while that can be undone.

The person who stays keeps its id, its own name and the moment it was made. The other one's row is
kept in the merge, its names lead to the one who stays, and what it had moves: see `moves.py`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from core.errors import FieldError, InvalidPayloadError
from segments.identity import merges, names, repository
from segments.identity.conflicts import Choice, decide
from segments.identity.errors import (
    AlreadyIdentifiedError,
    MergedTooLargeError,
    MergeNotFoundError,
    SamePersonError,
    TooManyAliasesError,
    UndoExpiredError,
    UndoOutOfOrderError,
)
from segments.identity.locking import Locked, lock_named, lock_person, settled
from segments.identity.merge import Merge, Merging, Moved
from segments.identity.moves import MOVES, SILENT
from segments.people.person import ATTRIBUTES_LIMIT_BYTES
from segments.people.telling import tell_changed

NAMES_LIMIT = 200
_CAUSE = text("SELECT set_config('carillon.cause', :cause, true)")


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge, and whether it was made just now."""

    merge: Merge
    is_new: bool


def merge(connection: Connection, app_id: int, into: str, other: str) -> Merged:
    """Make one person of two, by any of their names.

    When they are one already by a merge, that is returned, in whichever direction it went. Raises
    `InvalidPayloadError` for unknown people, and the errors of merges.
    """
    if into == other:
        raise SamePersonError("Both names are the same.")
    return settled(connection, lambda: _merge(connection, app_id, into, other))


def _merge(connection: Connection, app_id: int, into: str, other: str) -> Merged:
    locked = lock_named(connection, app_id, [into, other])
    require_known(locked, {"into": into, "from": other})
    into_id, from_id = locked.ids[into], locked.ids[other]
    if into_id == from_id:
        joined = merges.find_joined(connection, app_id, into_id, [into, other])
        if joined is None:
            raise SamePersonError
        return Merged(joined, is_new=False)
    return Merged(join(connection, app_id, locked, into_id, from_id), is_new=True)


def join(connection: Connection, app_id: int, locked: Locked, into_id: int, from_id: int) -> Merge:
    """Make one person of two who are locked."""
    if names.is_anonymous(locked.own[into_id]) and not names.is_anonymous(locked.own[from_id]):
        raise AlreadyIdentifiedError("Merge the anonymous person into the known one.")
    moving = locked.names[from_id]
    if len(moving) + len(locked.names[into_id]) > NAMES_LIMIT:
        raise TooManyAliasesError(f"A person may have {NAMES_LIMIT} names.")
    made = repository.add(connection, app_id, into_id, from_id, moving)
    changed = _combine(connection, app_id, made)
    names.turn(connection, app_id, moving, into_id, own=locked.own[into_id])
    one = Merging(app_id, from_id, into_id)
    moved = {move.what: move.forward(connection, one) for move in MOVES}
    repository.add_moved(connection, app_id, made.id, moved)
    repository.remove_person(connection, app_id, from_id)
    counts = {what: one.number for what, one in moved.items() if what not in SILENT}
    # Not by orjson: numbers of attributes may be beyond 64 bits.
    columns = json.dumps({**changed, "counts": counts}, ensure_ascii=False)
    repository.note(connection, app_id, made.id, columns)
    tell_changed(connection, app_id, (), [made.into_external_id])
    return find(connection, app_id, made.public_id)


def _combine(connection: Connection, app_id: int, made: Merge) -> dict[str, object]:
    attributes, about = repository.read_pairs(connection, app_id, made.into_id, made.from_id)
    chosen = decide(attributes.rules, attributes.into, attributes.other)
    told = decide({}, about.into, about.other)
    choices = {
        "taken": [name for name, choice in chosen.items() if choice is Choice.OTHER],
        "summed": [name for name, choice in chosen.items() if choice is Choice.SUM],
        "told": list(told),
    }
    connection.execute(_CAUSE, {"cause": f"merge {made.public_id}"})
    changed = dict(repository.combine(connection, app_id, made, choices))
    connection.execute(_CAUSE, {"cause": ""})
    if changed.pop("size") > ATTRIBUTES_LIMIT_BYTES:
        raise MergedTooLargeError(f"The limit is {ATTRIBUTES_LIMIT_BYTES} bytes.")
    return changed


def find(connection: Connection, app_id: int, public_id: str) -> Merge:
    """Return a merge; raise `MergeNotFoundError`."""
    found = merges.find(connection, app_id, public_id)
    if found is None:
        raise MergeNotFoundError
    return found


def undo(connection: Connection, app_id: int, public_id: str, *, hours: int) -> Merge:
    """Make two people of one again, as they were; what came since stays with the one who stayed.

    An undone merge is returned as it is. Raises the errors of merges.
    """
    return settled(connection, lambda: _undo(connection, app_id, public_id, hours))


def _undo(connection: Connection, app_id: int, public_id: str, hours: int) -> Merge:
    seen = find(connection, app_id, public_id)
    locked = lock_person(connection, app_id, seen.into_id)
    held = merges.find(connection, app_id, public_id, lock=True)
    if held is None or held.undone_at is not None:
        return find(connection, app_id, public_id)
    if merges.is_over(connection, held, hours):
        raise UndoExpiredError(f"A merge can be undone for {hours} hours.")
    if locked is None or merges.has_later(connection, app_id, held):
        raise UndoOutOfOrderError
    _separate(connection, app_id, held, locked.own[held.into_id])
    return find(connection, app_id, public_id)


def _separate(connection: Connection, app_id: int, held: Merge, own: str) -> None:
    one = Merging(app_id, held.from_id, held.into_id)
    moved = repository.list_moved(connection, app_id, held.id)
    for move in MOVES:
        move.back(connection, one, moved.get(move.what, Moved()))
    connection.execute(_CAUSE, {"cause": f"undo {held.public_id}"})
    repository.revert(connection, app_id, held.id)
    connection.execute(_CAUSE, {"cause": ""})
    names.turn(connection, app_id, held.names, held.from_id, own=held.from_external_id)
    repository.restore_person(connection, app_id, held.id)
    merges.end(connection, app_id, held.id)
    tell_changed(connection, app_id, [held.from_external_id], [own])


def require_known(locked: Locked, wanted: dict[str, str]) -> None:
    """Raise `InvalidPayloadError` for fields whose names lead to nobody."""
    unknown = unknown_fields(locked, wanted)
    if unknown:
        words = "The app does not know this person."
        raise InvalidPayloadError(
            fields=tuple(FieldError(f"/{field}", "unknown_person", words) for field in unknown)
        )


def unknown_fields(locked: Locked, wanted: dict[str, str]) -> Sequence[str]:
    """Return the fields whose names lead to nobody."""
    return [field for field, name in wanted.items() if name not in locked.ids]
