"""Events that phones send by themselves: about whom a device may speak.

A device speaks for its owner, by any of the owner's names. One that nobody has signed in on speaks
for somebody anonymous who is called as the device is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine

from api.ingest.event_reader import OWNER
from api.ingest.event_writer import EventWriter
from api.ingest.writing import write_together
from core.database import driver_connection
from core.errors import CarillonError, NotFoundError
from delivery.devices import repository as devices
from delivery.devices.device import Device
from delivery.devices.service import Claim, check_claim
from segments.events.event import Fate, NewEvent
from segments.identity.names import find_ids
from segments.people.repository import find_by_ids
from segments.people.resolving import PersonRef, RefKind, external_id


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a device tells it; its person is `OWNER` where it names nobody."""

    event: NewEvent
    device: str  # its public id
    claim: Claim


class DeviceEventWriter:
    """Writes events of devices of one app; runs in a thread."""

    def __init__(self, engine: Engine, events: EventWriter) -> None:
        self._engine = engine
        self._events = events

    def write(self, app_id: int, told: Sequence[Told]) -> Sequence[Fate | Exception]:
        """Return what became of each event, in order, or what is wrong with its device."""

        def work(items: Sequence[Told]) -> Sequence[Fate | CarillonError]:
            with self._engine.begin() as connection:
                judged = judge(connection, app_id, items)
            good = [one for one in judged if isinstance(one, NewEvent)]
            if not good:
                return [one for one in judged if not isinstance(one, NewEvent)]
            with driver_connection(self._engine) as driver:
                fates = iter(self._events.write_with(driver, app_id, good))
            return [next(fates) if isinstance(one, NewEvent) else one for one in judged]

        return write_together(work, told, lambda _told, _error: Fate.UNSTORABLE)


def judge(
    connection: Connection, app_id: int, told: Sequence[Told]
) -> list[NewEvent | Fate | CarillonError]:
    """Return the events with the own names of their people, or why there is none."""
    names = sorted({one.device for one in told})
    known = {one.public_id: one for one in devices.find_all(connection, app_id, names)}
    owners = sorted({one.person_id for one in known.values() if one.person_id is not None})
    called = {one.id: one.external_id for one in find_by_ids(connection, app_id, owners)}
    named = {external_id(one.event.person) for one in told if one.event.person != OWNER}
    ids = find_ids(connection, app_id, named) if named else {}
    return [_judge(one, known.get(one.device), called, ids) for one in told]


def _judge(
    told: Told, device: Device | None, called: Mapping[int, str], ids: Mapping[str, int]
) -> NewEvent | Fate | CarillonError:
    if device is None:
        return NotFoundError()
    try:
        check_claim(device, told.claim)
    except CarillonError as error:
        return error
    person = told.event.person
    if device.person_id is None or device.person_id not in called:
        own = PersonRef(RefKind.ANONYMOUS, device.public_id)
        is_own = person == OWNER or external_id(person) == external_id(own)
    else:
        own = PersonRef(RefKind.EXTERNAL, called[device.person_id])
        is_own = person == OWNER or ids.get(external_id(person)) == device.person_id
    return replace(told.event, person=own) if is_own else Fate.FOREIGN_PERSON
