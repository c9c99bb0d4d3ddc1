"""What somebody decides while they are merged holds for the person who stays."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import errors as postgres
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from core.database import driver_of, open_engine, rows
from segments.consents import repository as consents
from segments.identity import merging
from segments.people import service
from segments.people.person import PersonChange
from segments.people.resolving import PersonRef, RefKind, resolve_people
from tests.segments.identity.town import Town, found

_ROUNDS = 60


@pytest.fixture
def engine(fresh_database: str) -> Iterator[Engine]:
    engine = open_engine(fresh_database, pool_size=6)
    yield engine
    engine.dispose()


@pytest.fixture
def app_id(engine: Engine) -> int:
    """An app of ada, who allows everything, and bob, who has said nothing."""
    with engine.begin() as connection:
        town = found(connection)
        town.put("bob")
    say(engine, town.app_id, "ada", granted=True)
    return town.app_id


def say(engine: Engine, app_id: int, name: str, *, granted: bool) -> None:
    with engine.begin() as connection:
        _say(connection, app_id, name, granted=granted)


def _say(connection: Connection, app_id: int, name: str, *, granted: bool) -> None:
    both = {"push": granted, "analytics": granted}
    service.write(connection, app_id, [PersonChange(name, consents=both)])


def _merge(connection: Connection, app_id: int) -> None:
    merging.merge(connection, app_id, "ada", "bob")


def again(engine: Engine, work: Callable[[Connection], None]) -> None:
    """Do what the doors do: run work again when it met another transaction."""
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if not isinstance(error.orig, postgres.UniqueViolation | postgres.DeadlockDetected):
                raise


def state(engine: Engine, app_id: int, name: str = "ada") -> dict[str, bool]:
    with engine.begin() as connection:
        person_id = Town(connection, app_id).inner_id(name)
        return {one.kind: one.granted for one in consents.present(connection, app_id, person_id)}


def wait_for_a_lock(engine: Engine, *, count: int = 1) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for _ in range(3_000):
            waiting = rows(
                connection,
                "SELECT pid FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            if len(waiting) >= count:
                return
            threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


REFUSED = {"push": False, "analytics": False}


def test_a_merge_waits_for_who_decides_and_takes_it_along(engine: Engine, app_id: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            _say(connection, app_id, "bob", granted=False)
            running = pool.submit(again, engine, lambda one: _merge(one, app_id))
            wait_for_a_lock(engine)
        running.result(timeout=60)

    assert state(engine, app_id) == state(engine, app_id, "bob") == REFUSED


def test_who_decides_waits_for_a_merge_and_it_holds_for_who_stays(
    engine: Engine, app_id: int
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            _merge(connection, app_id)
            running = pool.submit(
                again, engine, lambda one: _say(one, app_id, "bob", granted=False)
            )
            wait_for_a_lock(engine)
        running.result(timeout=60)

    assert state(engine, app_id) == state(engine, app_id, "bob") == REFUSED


def test_what_was_said_last_holds_whenever_its_transaction_began(
    engine: Engine, app_id: int
) -> None:
    with engine.begin() as connection:
        # It begins here, and the moment of a transaction is that of its beginning.
        rows(connection, "SELECT now()")
        say(engine, app_id, "ada", granted=False)
        say(engine, app_id, "ada", granted=True)
        _say(connection, app_id, "bob", granted=False)

    again(engine, lambda one: _merge(one, app_id))

    assert state(engine, app_id) == REFUSED


def test_who_says_the_same_again_has_said_it_last(engine: Engine, app_id: int) -> None:
    for name, granted in (("bob", False), ("ada", True), ("bob", False)):
        say(engine, app_id, name, granted=granted)
    with engine.begin() as connection:
        bob = Town(connection, app_id).inner_id("bob")
        written = consents.changes(connection, app_id, bob)

    again(engine, lambda one: _merge(one, app_id))

    assert state(engine, app_id) == REFUSED
    # Nothing has changed the second time.
    assert len(written) == len(REFUSED)


def test_an_event_that_waits_for_a_merge_finds_what_was_decided(
    engine: Engine, app_id: int
) -> None:
    say(engine, app_id, "bob", granted=False)
    ref = PersonRef(RefKind.EXTERNAL, "bob")

    def allows() -> bool:
        with engine.begin() as connection:
            return resolve_people(driver_of(connection), app_id, [ref])[ref].analytics

    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            _merge(connection, app_id)
            running = pool.submit(allows)
            wait_for_a_lock(engine)
        assert running.result(timeout=60) is False


def test_at_the_same_moment_nothing_is_lost(engine: Engine, app_id: int) -> None:
    undo = "SELECT public_id FROM person_merge WHERE app_id = :app_id ORDER BY id DESC LIMIT 1"
    with ThreadPoolExecutor(2) as pool:
        for number in range(_ROUNDS):
            granted = bool(number % 2)
            gate = threading.Barrier(2)

            def start(work: Callable[[Connection], None], gate: threading.Barrier = gate) -> None:
                gate.wait(timeout=60)
                again(engine, work)

            def decide(connection: Connection, *, granted: bool = granted) -> None:
                _say(connection, app_id, "bob", granted=granted)

            both = [pool.submit(start, decide), pool.submit(start, lambda one: _merge(one, app_id))]
            for one in both:
                one.result(timeout=60)

            wanted = {"push": granted, "analytics": granted}
            assert state(engine, app_id) == state(engine, app_id, "bob") == wanted, number
            with engine.begin() as connection:
                merge = rows(connection, undo, app_id=app_id)[0].public_id
                merging.undo(connection, app_id, merge, hours=24)
