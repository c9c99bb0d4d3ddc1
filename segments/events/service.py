"""Storing events: who did it, whether it may be kept, and whether it is known already."""

from collections.abc import Sequence

from segments.events import repository
from segments.events.event import Fate, NewEvent
from segments.events.repository import Driver
from segments.people.resolving import resolve_people


def store(connection: Driver, app_id: int, events: Sequence[NewEvent]) -> list[Fate]:
    """Write events in the caller's transaction; return what became of each, in order.

    Of several with one uuid the first counts. An event whose person refuses analytics leaves
    nothing but the person's name. Partitions and names of events must have been made before.
    """
    people = resolve_people(connection, app_id, list({event.person for event in events}))
    fates = [Fate.ACCEPTED] * len(events)
    fresh: dict[str, int] = {}
    for index, event in enumerate(events):
        if not people[event.person].analytics:
            fates[index] = Fate.NO_CONSENT
        elif fresh.setdefault(event.uuid, index) != index:
            fates[index] = Fate.DUPLICATE
    kept = [events[index] for index in fresh.values()]
    if kept:
        ids = [people[event.person].person_id for event in kept]
        for uuid in repository.store(connection, app_id, kept, ids):
            fates[fresh[uuid]] = Fate.DUPLICATE
    return fates
