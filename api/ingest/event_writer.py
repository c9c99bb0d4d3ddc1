"""Writing events of one app together: their names, their place in time, then themselves."""

import time
from collections.abc import Sequence
from datetime import date

from sqlalchemy import Engine

from api.ingest.writing import write_together
from core.clock import utc_now
from core.database import driver_connection
from segments.events import repository, service
from segments.events.event import Fate, NewEvent
from segments.events.partitions import ensure_partitions
from segments.events.repository import Driver

# Apps whose names are remembered, and how long an app with all names taken is not asked again.
_APPS_LIMIT = 10_000
_FULL_SECONDS = 5.0


class EventWriter:
    """Remembers which names and months need no look into the database."""

    def __init__(self, engine: Engine, names_limit: int) -> None:
        self._engine = engine
        self._names_limit = names_limit
        self._names: dict[int, set[str]] = {}
        self._full_until: dict[int, float] = {}
        self._months: set[date] = set()

    def write(self, app_id: int, events: Sequence[NewEvent]) -> Sequence[Fate | Exception]:
        """Return what became of each event, in order. Runs in a thread, one at a time per app."""

        def work(items: Sequence[NewEvent]) -> Sequence[Fate]:
            with driver_connection(self._engine) as driver:
                return self.write_with(driver, app_id, items)

        return write_together(work, events, _refuse)

    def write_with(self, driver: Driver, app_id: int, events: Sequence[NewEvent]) -> Sequence[Fate]:
        """Do what `write` does on a connection in autocommit; raises what PostgreSQL objects to."""
        known = self._admit(driver, app_id, events)
        kept = [event for event in events if event.name in known]
        if not kept:
            return [Fate.TOO_MANY_NAMES] * len(events)
        self._ensure_months(driver, kept)
        with driver.transaction():
            found = service.store(driver, app_id, kept)
        if len(kept) == len(events):
            return found
        fates = iter(found)
        return [next(fates) if one.name in known else Fate.TOO_MANY_NAMES for one in events]

    def _admit(self, driver: Driver, app_id: int, events: Sequence[NewEvent]) -> set[str]:
        known = self._names.get(app_id)
        if known is None:
            if len(self._names) >= _APPS_LIMIT:
                self._names.clear()
            known = self._names.setdefault(app_id, set())
        names = list(dict.fromkeys(event.name for event in events if event.name not in known))
        if names and time.monotonic() >= self._full_until.get(app_id, 0.0):
            with driver.transaction():
                admitted = repository.admit_names(driver, app_id, names, self._names_limit)
            known |= admitted
            if len(admitted) < len(names):
                self._full_until[app_id] = time.monotonic() + _FULL_SECONDS
        return known

    def _ensure_months(self, driver: Driver, events: Sequence[NewEvent]) -> None:
        months = {date(event.at.year, event.at.month, 1) for event in events} - self._months
        if months:
            ensure_partitions(driver, months, utc_now().date())
            self._months |= months


def _refuse(_event: NewEvent, _error: Exception) -> Fate:
    return Fate.UNSTORABLE
