"""What the database refuses of a slice, though every check has let it pass."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine

from api.imports.apart import write_apart
from api.imports.event_importer import EventsImporter
from api.imports.importer import Written
from segments.events.event import NewEvent
from segments.people.resolving import PersonRef, RefKind
from tests.api.imports.files import Shop

_AT = datetime(2021, 2, 3, tzinfo=UTC)


def event(line: int, properties: str = "{}") -> NewEvent:
    person = PersonRef(RefKind.EXTERNAL, f"customer-{line % 7}")
    return NewEvent(str(uuid.uuid4()), person, "seen", _AT + timedelta(minutes=line), properties)


class Watching(EventsImporter):
    """Notes how many lines were written at once, and looks whether anybody else could write."""

    def __init__(self, others: Engine, app_id: int) -> None:
        super().__init__(names_limit=100)
        self._others = others
        self._app_id = app_id
        self.at_once: list[int] = []
        self.are_free: list[bool] = []

    def write(
        self, connection: Connection, app_id: int, items: Sequence[tuple[int, Any]]
    ) -> Written:
        self.at_once.append(len(items))
        self.are_free.append(self._are_totals_free())
        return super().write(connection, app_id, items)

    def _are_totals_free(self) -> bool:
        query = f"SELECT FROM event_total WHERE app_id = {self._app_id} FOR UPDATE NOWAIT"
        with self._others.connect() as connection:
            try:
                connection.exec_driver_sql(query)
            except Exception as error:
                if isinstance(getattr(error, "orig", None), psycopg.errors.LockNotAvailable):
                    return False
                raise
        return True


@pytest.mark.parametrize("broken", [(0,), (99,), (3, 4, 50), tuple(range(100))])
def test_they_are_named_and_all_others_are_written_at_once(
    engine: Engine, shop: Shop, broken: tuple[int, ...]
) -> None:
    before = EventsImporter(names_limit=100)
    known = [(line, event(line)) for line in range(7)]
    before.prepare(engine, shop.app_id, known)
    with engine.begin() as connection:
        before.write(connection, shop.app_id, known)
    items = [(line, event(line, "{" if line in broken else "{}")) for line in range(100)]
    importer = Watching(engine, shop.app_id)
    importer.prepare(engine, shop.app_id, items)

    with engine.begin() as connection:
        written = write_apart(connection, importer, shop.app_id, items)

    assert {line: faults[0].code for line, faults in written.faults.items()} == dict.fromkeys(
        broken, "invalid_value"
    )
    assert written.created == 100 - len(broken)
    stored = shop.rows("SELECT count(*) FROM event WHERE app_id = :app_id")[0][0]
    assert stored == 7 + 100 - len(broken)
    if len(broken) < 100:
        assert importer.at_once[-1] == 100 - len(broken)
    # What was tried is given up at once: nobody has waited for it.
    assert all(importer.are_free)
