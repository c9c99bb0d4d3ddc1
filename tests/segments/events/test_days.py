"""The roll-ups by days and in all equal the events, whatever was done to them."""

import secrets
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from core.database import driver_of
from segments.events import service
from segments.events.event import NewEvent
from segments.events.partitions import ensure_partitions
from segments.identity import merging
from segments.people.resolving import PersonRef, RefKind

_START = datetime(2021, 1, 31, tzinfo=UTC)
_DAYS = [date(2021, month, 1) for month in (1, 2, 3)]
_PEOPLE = ("ada", "bob", "cy")
_WRITTEN = "SELECT person_id, name, day, events, first_at, last_at FROM event_day"
_COUNTED = """SELECT person_id, name, (at AT TIME ZONE 'UTC')::date AS day, count(*) AS events,
min(at) AS first_at, max(at) AS last_at FROM event"""
_TOTALS = "SELECT person_id, name, events, first_at, last_at FROM event_total"
_COUNTED_IN_ALL = """SELECT person_id, name, count(*) AS events, min(at) AS first_at,
max(at) AS last_at FROM event"""
_EVENT = st.tuples(
    st.sampled_from(_PEOPLE),
    st.sampled_from(("seen", "bought")),
    st.integers(-50, 50),  # hours
)
_STEP = st.one_of(
    st.tuples(st.just("store"), st.lists(_EVENT, min_size=1, max_size=8)),
    st.tuples(st.just("merge"), st.permutations(_PEOPLE)),
    st.tuples(st.just("undo"), st.none()),
    st.tuples(st.just("delete"), st.integers(0, 4)),
    st.tuples(st.just("shift"), st.integers(0, 4)),
)


class _Place:
    """An app, and what can be done to its events."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._merges: list[str] = []
        self.app_id = self._run(
            "INSERT INTO app (public_id, name, identity_secret) VALUES (:name, 'x', '')"
            " RETURNING id",
            name=secrets.token_hex(8),
        )[0][0]

    def take(self, what: str, value: Any) -> None:
        getattr(self, f"_{what}")(value)

    def differences(self) -> list[Any]:
        """Return the rows by which the roll-ups and the events differ."""
        return [
            *self._differ(_WRITTEN, f"{_COUNTED} WHERE app_id = :app_id GROUP BY 1, 2, 3"),
            *self._differ(_TOTALS, f"{_COUNTED_IN_ALL} WHERE app_id = :app_id GROUP BY 1, 2"),
        ]

    def _differ(self, rolled_up: str, counted: str) -> list[Any]:
        written = f"{rolled_up} WHERE app_id = :app_id"
        return self._run(
            f"(({written}) EXCEPT ({counted})) UNION ALL (({counted}) EXCEPT ({written}))"
        )

    def _store(self, given: list[tuple[str, str, int]]) -> None:
        events = [
            NewEvent(
                str(uuid.uuid4()),
                PersonRef(RefKind.EXTERNAL, person),
                name,
                _START + timedelta(hours=hours),
                "{}",
            )
            for person, name, hours in given
        ]
        service.store(driver_of(self._connection), self.app_id, events)

    def _merge(self, names: tuple[str, ...]) -> None:
        into, other = names[:2]
        ids = {
            row.external_id: row.person_id
            for row in self._run(
                "SELECT external_id, person_id FROM person_name WHERE app_id = :app_id"
            )
        }
        if into in ids and other in ids and ids[into] != ids[other]:
            made = merging.merge(self._connection, self.app_id, into, other)
            self._merges.append(made.merge.public_id)

    def _undo(self, _none: None) -> None:
        if self._merges:
            merging.undo(self._connection, self.app_id, self._merges.pop(), hours=24)

    def _delete(self, rest: int) -> None:
        self._run("DELETE FROM event WHERE app_id = :app_id AND id % 5 = :rest", rest=rest)

    def _shift(self, rest: int) -> None:
        self._run(
            "UPDATE event SET at = at + interval '9 hours' WHERE app_id = :app_id"
            " AND id % 5 = :rest AND at < '2021-02-20'",
            rest=rest,
        )

    def _run(self, sql: str, **values: Any) -> list[Any]:
        found = self._connection.execute(
            text(sql), {"app_id": getattr(self, "app_id", 0), **values}
        )
        return list(found.all()) if found.returns_rows else []


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(_STEP, min_size=1, max_size=14))
def test_after_random_steps_it_equals_what_is_counted_anew(
    connection: Connection, steps: list[tuple[str, Any]]
) -> None:
    ensure_partitions(driver_of(connection), _DAYS, date(2021, 3, 1))
    place = _Place(connection)

    for what, value in steps:
        place.take(what, value)

        assert place.differences() == []


def test_it_differs_when_it_is_touched(connection: Connection) -> None:
    ensure_partitions(driver_of(connection), _DAYS, date(2021, 3, 1))
    place = _Place(connection)
    place.take("store", [("ada", "seen", 1), ("ada", "seen", 2), ("bob", "seen", 30)])

    connection.execute(text("UPDATE event_day SET events = events + 1"))
    by_days = len(place.differences())
    connection.execute(text("UPDATE event_total SET last_at = last_at + interval '1 hour'"))

    # Each wrong row, and the right one in its place.
    assert (by_days, len(place.differences())) == (4, 8)
