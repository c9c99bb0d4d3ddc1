"""Partitions of events: for each month of late, for each year of long ago, and nobody waits."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psycopg
import pytest
from sqlalchemy import Engine, text

from core.database import driver_connection, open_engine
from segments.events.partitions import ahead, ensure_partitions, place_of

_TODAY = date(2026, 11, 28)
_PARTS = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = 'event'::regclass"
)


@pytest.fixture
def own_engine(fresh_database: str) -> Iterator[Engine]:
    """A database of the test's own, where nobody waits long for a lock."""
    engine = open_engine(fresh_database, pool_size=8, session={"lock_timeout": "10000"})
    yield engine
    engine.dispose()


def parts(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.scalars(_PARTS))


def ensure(engine: Engine, *days: date, today: date = _TODAY) -> set[str]:
    """Make partitions and return the names of those that are new."""
    before = parts(engine)
    with driver_connection(engine) as driver:
        ensure_partitions(driver, days, today)
    return parts(engine) - before


def store(engine: Engine, moment: str) -> str:
    """Store an event and return the partition it lies in."""
    with engine.begin() as connection:
        return str(
            connection.scalar(
                text(
                    "INSERT INTO event (app_id, person_id, uuid, name, at) "
                    "VALUES (1, 1, gen_random_uuid(), 'x', :at) RETURNING tableoid::regclass"
                ),
                {"at": moment},
            )
        )


@pytest.mark.parametrize(
    ("day", "place"),
    [("2026-11-28", "2026_11"), ("2025-01-01", "2025_01"), ("2024-12-31", "2024")],
)
def test_two_calendar_years_have_months(day: str, place: str) -> None:
    assert place_of(date.fromisoformat(day), _TODAY) == place


def test_the_months_around_are_made_ahead() -> None:
    assert [str(day) for day in ahead(date(2026, 1, 31))] == [
        "2025-12-01", "2026-01-01", "2026-02-01", "2026-03-01",
    ]  # fmt: skip


def test_what_is_missing_is_made_once(own_engine: Engine) -> None:
    days = (date(2025, 3, 31), date(1997, 1, 1), date(1997, 12, 31), date(1970, 6, 1))

    made = ensure(own_engine, *days)

    assert made == {"event_2025_03", "event_1997", "event_1970"}
    assert ensure(own_engine, *days) == set()
    assert store(own_engine, "1997-12-31T23:59:59.999999Z") == "event_1997"
    assert store(own_engine, "1970-01-01T00:00:00Z") == "event_1970"
    assert store(own_engine, "2025-03-31T23:59:59Z") == "event_2025_03"


def test_a_year_of_which_months_are_there_gets_its_other_months(own_engine: Engine) -> None:
    ensure(own_engine, date(2024, 5, 1), today=date(2025, 6, 1))

    assert ensure(own_engine, date(2024, 7, 9), today=date(2026, 6, 1)) == {"event_2024_07"}


def test_readers_and_writers_of_other_times_hold_nothing_up(own_engine: Engine) -> None:
    with own_engine.connect() as reader, reader.begin(), own_engine.begin() as writer:
        reader.execute(text("SELECT count(*) FROM event"))
        writer.execute(
            text(
                "INSERT INTO event (app_id, person_id, uuid, name, at) "
                "VALUES (1, 1, gen_random_uuid(), 'x', now())"
            )
        )
        assert ensure(own_engine, date(1999, 9, 9)) == {"event_1999"}


def test_many_at_once_make_each_part_once(own_engine: Engine) -> None:
    days = [date(year, 1, 1) for year in range(1980, 2000)]

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: ensure(own_engine, *days), range(6)))

    assert set().union(*made) == {f"event_{day:%Y}" for day in days}


def test_who_holds_the_table_is_waited_for_only_so_long(
    own_engine: Engine, fresh_database: str
) -> None:
    hasty = open_engine(fresh_database, pool_size=1, session={"lock_timeout": "200"})
    with own_engine.begin() as holder:
        holder.execute(text("LOCK TABLE event IN SHARE UPDATE EXCLUSIVE MODE"))
        with driver_connection(hasty) as driver, pytest.raises(psycopg.errors.LockNotAvailable):
            ensure_partitions(driver, [date(1999, 9, 9)], _TODAY)
    assert ensure(own_engine, date(1999, 9, 9)) == {"event_1999"}
    hasty.dispose()
