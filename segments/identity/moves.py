"""What moves when two people become one: the one place that lists it.

Whoever keeps something under the id of a person adds a `Move`. It runs in the transaction of the
merge, which has locked both people and all their names: nobody writes about them meanwhile. What
is written in `Moved` comes back to `back`, when the merge is undone. Moves run in the order of
`MOVES`, back as well: devices are locked before what is kept of their people, as by everybody.

The ledger and chunks do not move: they tell what was done. `person_successor` tells who stands
for their ids today.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from delivery.successors import repository as successors
from segments.identity import moves_repository as sql
from segments.identity.merge import Merging, Moved


@dataclass(frozen=True, slots=True)
class Move:
    """How one kind of thing goes from the one person to the other, and back."""

    what: str
    forward: Callable[[Connection, Merging], Moved]
    back: Callable[[Connection, Merging, Moved], None]


def _devices_forward(connection: Connection, one: Merging) -> Moved:
    return Moved(successors.move_devices(connection, one.app_id, one.from_id, one.into_id))


def _devices_back(connection: Connection, one: Merging, moved: Moved) -> None:
    # Those that changed hands since stay where they are.
    successors.move_devices(connection, one.app_id, one.into_id, one.from_id, only=moved.ids)


def _successors_forward(connection: Connection, one: Merging) -> Moved:
    followed = successors.succeed(connection, one.app_id, one.from_id, one.into_id)
    return Moved(followed)


def _successors_back(connection: Connection, one: Merging, moved: Moved) -> None:
    successors.give_back(connection, one.app_id, one.from_id, moved.ids)


MOVES: tuple[Move, ...] = (
    Move("devices", _devices_forward, _devices_back),
    Move("events", sql.move_events, sql.move_events_back),
    Move("consents", sql.move_consents, sql.move_consents_back),
    Move("lists", sql.move_lists, sql.move_lists_back),
    Move("successors", _successors_forward, _successors_back),
)
# Of these nobody wants to know how many.
SILENT = frozenset({"lists", "successors"})
