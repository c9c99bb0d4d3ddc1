"""Registering the lines of a file for a server."""

from collections.abc import Sequence

from sqlalchemy import Connection

from delivery.devices import service
from delivery.devices.device import Registration


def register_lines(
    connection: Connection, app_id: int, registrations: Sequence[Registration]
) -> int:
    """Register installations in their order; return how many of them are new.

    Later entries about the same installation or token win.
    """
    if not registrations:
        return 0
    _, new = service.register_many(connection, app_id, registrations)
    return len(new)
