"""What stands in the outbox in the shape others get: public ids, one object for each fact.

Whoever sends webhooks claims entries, shapes them here, sends, and acknowledges.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.ids import delivery_id, person_delivery_id
from delivery.apps import repository as apps
from delivery.devices import repository as devices
from delivery.outbox.entry import Entry, Kind
from segments.identity import merges
from segments.people import repository as people

Shaped = dict[str, Any]


def shape(connection: Connection, entry: Entry) -> list[Shaped]:
    """Return the facts of an entry as documented in docs/reference/outbox.md, in order.

    Ids are the same at every attempt, so that a receiver knows what it has had. A device or
    person that is gone meanwhile is null.
    """
    app = apps.find(connection, entry.app_id).public_id
    return [
        {
            "id": f"out_{entry.id}_{number}",
            "type": entry.kind,
            "app_id": app,
            "at": entry.created_at,
            "data": data,
        }
        for number, data in enumerate(_data(connection, entry))
    ]


def _data(connection: Connection, entry: Entry) -> Iterator[Mapping[str, Any]]:
    if entry.kind == Kind.DELIVERY_ENDED:
        yield from _deliveries(connection, entry)
    elif entry.kind in {Kind.DELIVERY_CONFIRMED, Kind.DELIVERY_OPENED}:
        yield from _receipts(connection, entry)
    elif entry.kind == Kind.PERSON_CHANGED:
        yield from entry.facts["people"]
    elif entry.kind in {Kind.SEGMENT_ENTERED, Kind.SEGMENT_LEFT}:
        yield from _members(connection, entry)
    else:
        yield from _devices(connection, entry)


def _deliveries(connection: Connection, entry: Entry) -> Iterator[Mapping[str, Any]]:
    results: Sequence[Sequence[Any]] = entry.facts["results"]
    message: str = entry.facts["message"]
    phones = devices.find_public_ids(
        connection, entry.app_id, [row[0] for row in results if row[0]]
    )
    names = _names(connection, entry.app_id, [row[1] for row in results])
    for device, person, state, reason, gateway, attempt in results:
        number = delivery_id(message, device) if device else person_delivery_id(message, person)
        yield {
            "delivery_id": number,
            "message_id": message,
            "is_test": entry.facts["is_test"],
            "device_id": phones.get(device),
            "person": names.get(person),
            "state": state,
            "reason": reason,
            "gateway": gateway,
            "attempt": attempt,
        }


def _receipts(connection: Connection, entry: Entry) -> Iterator[Mapping[str, Any]]:
    facts: Sequence[Mapping[str, Any]] = entry.facts["receipts"]
    phones = devices.find_public_ids(connection, entry.app_id, [fact["device"] for fact in facts])
    names = _names(connection, entry.app_id, [fact["person"] for fact in facts])
    for fact in facts:
        yield {
            "delivery_id": delivery_id(fact["message"], fact["device"]),
            "message_id": fact["message"],
            "is_test": fact["is_test"],
            "device_id": phones.get(fact["device"]),
            "person": names.get(fact["person"]),
            "at": datetime.fromisoformat(fact["at"]),
        }


def _devices(connection: Connection, entry: Entry) -> Iterator[Mapping[str, Any]]:
    facts: Sequence[Mapping[str, Any]] = entry.facts["devices"]
    names = _names(connection, entry.app_id, [fact["person_id"] for fact in facts])
    for fact in facts:
        shown = {name: value for name, value in fact.items() if name != "person_id"}
        yield {**shown, "person": names.get(fact["person_id"])}


def _members(connection: Connection, entry: Entry) -> Iterator[Mapping[str, Any]]:
    facts: Sequence[Mapping[str, Any]] = entry.facts["members"]
    names = _names(connection, entry.app_id, [fact["person_id"] for fact in facts])
    for fact in facts:
        yield {"segment_id": fact["segment"], "person": names.get(fact["person_id"])}


def _names(connection: Connection, app_id: int, ids: Sequence[int | None]) -> dict[int | None, str]:
    known = sorted({person_id for person_id in ids if person_id is not None})
    found = people.find_by_ids(connection, app_id, known) if known else []
    called: dict[int | None, str] = {person.id: person.external_id for person in found}
    gone = [one for one in known if one not in called]
    if gone:
        # Whoever has become one with somebody else is told by the name that others know.
        called |= merges.names_before(connection, app_id, gone)
    return called
