"""Events that a file brings: they are known by their own rows, however long ago they came."""

from collections.abc import Sequence

from segments.events.event import Fate, NewEvent
from segments.events.repository import Driver, known_before
from segments.events.service import store
from segments.people.resolving import external_id


def store_lines(connection: Driver, app_id: int, events: Sequence[NewEvent]) -> list[Fate]:
    """Write events as `store` does; return what became of each, in order.

    Keys of events are forgotten after a month, but a file may come again after a year: an event
    that its person has already, at that moment and with that uuid, is a duplicate.
    """
    names = [external_id(event.person) for event in events]
    known = known_before(connection, app_id, events, names)
    fates = [Fate.DUPLICATE if event.uuid in known else Fate.ACCEPTED for event in events]
    left = [index for index, event in enumerate(events) if event.uuid not in known]
    if left:
        found = store(connection, app_id, [events[index] for index in left])
        for index, fate in zip(left, found, strict=True):
            fates[index] = fate
    return fates
