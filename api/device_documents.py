"""Devices as the outside sees them, many at once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from api.device_bodies import DeviceDocument, TargetDocument
from core.errors import FieldError
from delivery.devices import repository
from delivery.devices.device import Device
from segments.people import repository as people

_SHOWN = tuple(DeviceDocument.model_fields)
_OWN = tuple(name for name in _SHOWN if name not in {"id", "person", "targets"})
_OF_TARGET = tuple(TargetDocument.model_fields)


def to_documents(
    connection: Connection, app_id: int, devices: Sequence[Device]
) -> list[DeviceDocument]:
    """Return devices as the outside sees them, in order."""
    return [DeviceDocument(**one) for one in to_fields(connection, app_id, devices)]


def to_fields(
    connection: Connection, app_id: int, devices: Sequence[Device]
) -> list[dict[str, Any]]:
    """Return the fields of each device's `DeviceDocument`, in their order, for the hot doors."""
    targets = repository.list_targets_of(connection, app_id, [device.id for device in devices])
    owners = sorted({device.person_id for device in devices if device.person_id is not None})
    found = people.find_by_ids(connection, app_id, owners) if owners else []
    names: dict[int | None, str] = {person.id: person.external_id for person in found}
    shown = []
    for device in devices:
        fields = dict.fromkeys(_SHOWN) | {name: getattr(device, name) for name in _OWN}
        fields["id"] = device.public_id
        fields["person"] = names.get(device.person_id)
        fields["targets"] = [
            {name: getattr(one, name) for name in _OF_TARGET} for one in targets[device.id]
        ]
        shown.append(fields)
    return shown


def unknown_person() -> FieldError:
    """Return the fault of an external id nobody has."""
    return FieldError("/person", "unknown_person", "The app does not know this person.")
