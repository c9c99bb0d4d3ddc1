"""Writing a slice when the database refuses the values of some lines that every check let pass."""

from collections.abc import Sequence
from typing import Any

from psycopg import errors as postgres
from sqlalchemy import Connection
from sqlalchemy.exc import DataError

from api.imports.importer import Faults, Importer, Written
from core.errors import FieldError

Items = Sequence[tuple[int, Any]]
_REFUSED = FieldError("", "invalid_value", "A value does not fit the database.")
_DATA = (DataError, postgres.DataError)


def write_apart(connection: Connection, importer: Importer, app_id: int, items: Items) -> Written:
    """Write items in the caller's transaction; lines that the database refuses are faults.

    These are searched for by halves, of which nothing stays. Then all others are written at once:
    rows are taken in one order, so that nobody who writes about the same people waits in a circle.
    """
    if not items:
        return Written(0, 0, 0, {})
    try:
        with connection.begin_nested():
            return importer.write(connection, app_id, items)
    except _DATA:
        refused = _refused(connection, importer, app_id, items)
    good = [one for one in items if one[0] not in refused]
    written = importer.write(connection, app_id, good) if good else Written(0, 0, 0, {})
    faults = {**written.faults, **refused}
    return Written(written.created, written.updated, written.unchanged, faults)


def _refused(connection: Connection, importer: Importer, app_id: int, items: Items) -> Faults:
    """Return the faults of lines among items that are refused together."""
    if len(items) == 1:
        return {items[0][0]: [_REFUSED]}
    half = len(items) // 2
    found: dict[int, Sequence[FieldError]] = {}
    for part in (items[:half], items[half:]):
        if not _fits(connection, importer, app_id, part):
            found |= _refused(connection, importer, app_id, part)
    return found


def _fits(connection: Connection, importer: Importer, app_id: int, items: Items) -> bool:
    attempt = connection.begin_nested()
    try:
        importer.write(connection, app_id, items)
    except _DATA:
        return False
    else:
        return True
    finally:
        attempt.rollback()
