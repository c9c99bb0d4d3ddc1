"""Events of a file: read as those of requests are, stored by the same service."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine

from api.imports.importer import Faults, Written
from api.ingest.event_reader import Reading, read_event
from api.ingest.event_routes import REFUSED
from core.clock import utc_now
from core.database import driver_connection, driver_of
from core.errors import FieldError, InvalidPayloadError
from segments.events import repository
from segments.events.event import Fate, NewEvent
from segments.events.importing import store_lines
from segments.events.partitions import ensure_partitions

_NO_TIME = FieldError("/at", "missing", "When did it happen? An event of a file has a time.")


class EventsImporter:
    """Imports events, for one job."""

    def __init__(self, *, names_limit: int) -> None:
        self._names_limit = names_limit
        self._names: set[str] = set()
        self._months: set[date] = set()

    def check(self, line: int, payload: Mapping[str, Any]) -> NewEvent:
        """Return the event of a line, which has a uuid of its own by its number and content."""
        read = read_event(payload, Reading(utc_now(), needs_uuid=False))
        if not isinstance(read, NewEvent):
            raise InvalidPayloadError(fields=read)
        if "at" not in payload:
            raise InvalidPayloadError(fields=(_NO_TIME,))
        if "uuid" not in payload:
            read.uuid = _uuid_of(line, read)
        return read

    def prepare(self, database: Engine, app_id: int, items: Sequence[tuple[int, NewEvent]]) -> None:
        """Note new names and make partitions, so that nobody waits for the slice about them."""
        names = list(dict.fromkeys(event.name for _, event in items))
        new = [name for name in names if name not in self._names]
        months = {date(event.at.year, event.at.month, 1) for _, event in items} - self._months
        with driver_connection(database) as driver:
            if new:
                with driver.transaction():
                    self._names |= repository.admit_names(driver, app_id, new, self._names_limit)
            if months:
                ensure_partitions(driver, months, utc_now().date())
                self._months |= months

    def write(
        self, connection: Connection, app_id: int, items: Sequence[tuple[int, NewEvent]]
    ) -> Written:
        """Store events; a line that is known before is unchanged."""
        good = [item for item in items if item[1].name in self._names]
        faults: dict[int, Sequence[FieldError]] = {
            line: (REFUSED[Fate.TOO_MANY_NAMES],)
            for line, event in items
            if event.name not in self._names
        }
        fates = store_lines(driver_of(connection), app_id, [event for _, event in good])
        faults |= _refused([line for line, _ in good], fates)
        counts = Counter(fates)
        return Written(counts[Fate.ACCEPTED], 0, counts[Fate.DUPLICATE], faults)


def _refused(lines: Sequence[int], fates: Sequence[Fate]) -> Faults:
    return {
        line: (REFUSED[fate],) for line, fate in zip(lines, fates, strict=True) if fate in REFUSED
    }


def _uuid_of(line: int, event: NewEvent) -> str:
    """Return the same uuid whenever the same event stands in the same line of a file."""
    moment = event.at.isoformat()
    parts = (str(line), event.person.kind, event.person.name, event.name, moment, event.properties)
    # None of them but the last may hold a newline. The shape is that of version 8 (RFC 9562).
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"
