"""What others are told about devices, if anybody wants to know."""

from collections.abc import Container, Iterable
from typing import Any

from sqlalchemy import Connection

from delivery.devices.device import Device
from delivery.outbox import repository as outbox
from delivery.outbox.entry import Kind

_NAME = "devices"


def tell_changed(
    connection: Connection, app_id: int, devices: Iterable[Device], known: Container[str]
) -> None:
    """Tell of devices that were registered or changed; `known` holds installations not new."""
    if outbox.listens(connection, app_id, Kind.DEVICE_CHANGED):
        facts = [
            {**_fact(device), "is_new": device.installation_id not in known} for device in devices
        ]
        outbox.put(connection, app_id, Kind.DEVICE_CHANGED, _NAME, facts)


def tell_removed(connection: Connection, app_id: int, device: Device) -> None:
    """Tell of a device that was removed."""
    if outbox.listens(connection, app_id, Kind.DEVICE_REMOVED):
        outbox.put(connection, app_id, Kind.DEVICE_REMOVED, _NAME, [_fact(device)])


def _fact(device: Device) -> dict[str, Any]:
    return {
        "id": device.public_id,
        "installation_id": device.installation_id,
        "person_id": device.person_id,
        "platform": device.platform,
        "permission": device.permission,
    }
