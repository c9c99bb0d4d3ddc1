"""Versions 0014 and 0019: on a filled database, and while somebody writes events."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from api.services.pair import Urls
from tests.migrations.stepping import database_at, engine_of, migrate_to, version_of

_FILLED = """
INSERT INTO app (public_id, name, identity_secret) VALUES ('app_1', 'app', '\\x00');
CREATE TABLE event_2021 PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO event (app_id, person_id, uuid, name, at)
SELECT id, n % 7, gen_random_uuid(), 'seen', '2021-01-01T00:00:00Z'::timestamptz
       + make_interval(hours => n) FROM app, generate_series(1, 300) AS n;
"""
_DIFFERENT = """
WITH counted AS (
    SELECT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date AS day, count(*) AS events,
           min(at) AS first_at, max(at) AS last_at FROM event GROUP BY 1, 2, 3, 4),
written AS (SELECT app_id, person_id, name, day, events, first_at, last_at FROM event_day)
SELECT count(*) FROM ((TABLE counted EXCEPT TABLE written)
                      UNION ALL (TABLE written EXCEPT TABLE counted)) AS d
"""

_TOTALS_DIFFERENT = """
WITH counted AS (
    SELECT app_id, person_id, name, count(*) AS events, min(at) AS first_at, max(at) AS last_at
    FROM event GROUP BY 1, 2, 3),
written AS (SELECT app_id, person_id, name, events, first_at, last_at FROM event_total)
SELECT count(*) FROM ((TABLE counted EXCEPT TABLE written)
                      UNION ALL (TABLE written EXCEPT TABLE counted)) AS d
"""
_AGAIN = """
INSERT INTO event (app_id, person_id, uuid, name, at) SELECT app_id, person_id,
gen_random_uuid(), name, at - interval '1 second' FROM event
"""


@pytest.fixture
def at_0013(urls: Urls) -> Iterator[str]:
    """A filled database of the version before."""
    with database_at(urls.database_url, "0013") as url:
        with engine_of(url).begin() as filled:
            filled.execute(text(_FILLED))
        yield url


def test_what_is_there_is_counted_and_what_comes_is_added(at_0013: str) -> None:
    migrate_to(at_0013, "0014")

    with engine_of(at_0013).begin() as connection:
        before = connection.scalar(text(_DIFFERENT))
        connection.execute(text(_AGAIN))
        after = connection.scalar(text(_DIFFERENT))
        events = connection.scalar(text("SELECT sum(events) FROM event_day"))
    assert (before, after, events) == (0, 0, 600)


def test_it_gives_up_soon_while_somebody_writes_and_changes_nothing(at_0013: str) -> None:
    engine = engine_of(at_0013)
    with engine.connect() as busy:
        busy.execute(text("LOCK TABLE event IN ROW EXCLUSIVE MODE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate_to(at_0013, "0014")

    assert version_of(engine) == "0013"
    migrate_to(at_0013, "0014")


def test_totals_are_made_of_what_is_there_and_kept(at_0013: str) -> None:
    migrate_to(at_0013, "0018")
    migrate_to(at_0013, "0019")

    with engine_of(at_0013).begin() as connection:
        before = connection.scalar(text(_TOTALS_DIFFERENT))
        connection.execute(text(_AGAIN))
        connection.execute(text("DELETE FROM event WHERE person_id = 3"))
        after = connection.scalar(text(_TOTALS_DIFFERENT))
        found = connection.execute(text("SELECT count(*), sum(events) FROM event_total")).one()
    assert (before, after) == (0, 0)
    # 300 hours of seven people, twice, without one of them.
    assert tuple(found) == (6, 600 - 2 * 43)


def test_totals_wait_no_longer_than_the_lock_timeout(at_0013: str) -> None:
    migrate_to(at_0013, "0018")
    engine = engine_of(at_0013)
    with engine.connect() as busy:
        busy.execute(text("LOCK TABLE event IN ROW EXCLUSIVE MODE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate_to(at_0013, "0019")

    assert version_of(engine) == "0018"
