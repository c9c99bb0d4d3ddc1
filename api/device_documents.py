"""Devices as the outside sees them, many at once."""

from collections.abc import Sequence

from sqlalchemy import Connection

from api.device_bodies import DeviceDocument, TargetDocument
from core.errors import FieldError
from delivery.devices import repository
from delivery.devices.device import Device
from segments.people import repository as people

_SHOWN = tuple(DeviceDocument.model_fields.keys() - {"id", "person", "targets"})


def to_documents(
    connection: Connection, app_id: int, devices: Sequence[Device]
) -> list[DeviceDocument]:
    """Return devices as the outside sees them, in order."""
    targets = repository.list_targets_of(connection, app_id, [device.id for device in devices])
    owners = sorted({device.person_id for device in devices if device.person_id is not None})
    found = people.find_by_ids(connection, app_id, owners) if owners else []
    names = {person.id: person.external_id for person in found}
    return [
        DeviceDocument(
            **{name: getattr(device, name) for name in _SHOWN},
            id=device.public_id,
            person=None if device.person_id is None else names.get(device.person_id),
            targets=[TargetDocument.model_validate(one) for one in targets[device.id]],
        )
        for device in devices
    ]


def unknown_person() -> FieldError:
    """Return the fault of an external id nobody has."""
    return FieldError("/person", "unknown_person", "The app does not know this person.")
