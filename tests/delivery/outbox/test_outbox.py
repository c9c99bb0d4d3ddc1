"""The outbox: written with what it tells of, taken by one at a time, gone when acknowledged."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from sqlalchemy import Connection, Engine, text

from core.database import open_engine
from delivery.outbox import repository as outbox
from delivery.outbox.entry import Entry, Kind
from tests.deadlines import wait_until
from tests.repository_files import ROOT

_LEASE_SECONDS = 60.0
_numbers = count(1_000_000)


@pytest.fixture
def own_engine(fresh_database: str) -> Iterator[Engine]:
    """A database of the test's own."""
    engine = open_engine(fresh_database, pool_size=8)
    yield engine
    engine.dispose()


def put(connection: Connection, app_id: int, facts: int = 1) -> None:
    people = [{"external_id": f"p{number}", "is_new": True} for number in range(facts)]
    outbox.put(connection, app_id, Kind.PERSON_CHANGED, "people", people)


def claim(connection: Connection, owner: str = "me", **values: float) -> list[Entry]:
    given = {"lease_seconds": _LEASE_SECONDS, **values}
    return outbox.claim(connection, owner, lease_seconds=given["lease_seconds"])


def test_nothing_is_written_where_nobody_listens(connection: Connection) -> None:
    app_id = next(_numbers)
    outbox.subscribe(connection, app_id, "other kind", [Kind.DEVICE_CHANGED])
    outbox.subscribe(connection, next(_numbers), "other app", [Kind.PERSON_CHANGED])
    put(connection, app_id)

    assert not outbox.listens(connection, app_id, Kind.PERSON_CHANGED)
    assert claim(connection) == []


def test_each_subscription_gets_its_own_in_entries_of_five_hundred(connection: Connection) -> None:
    app_id = next(_numbers)
    first = outbox.subscribe(connection, app_id, "one", [Kind.PERSON_CHANGED])
    second = outbox.subscribe(connection, app_id, "two", [Kind.PERSON_CHANGED, Kind.DEVICE_CHANGED])
    put(connection, app_id, 1_100)

    found = claim(connection)

    sizes = {(one.subscription_id, len(one.facts["people"])) for one in found}
    assert sizes == {(taker, size) for taker in (first, second) for size in (500, 100)}
    assert len(found) == 6
    assert {one.attempt for one in found} == {1}


def test_what_is_held_is_nobody_elses_until_its_lease_ends(connection: Connection) -> None:
    app_id = next(_numbers)
    outbox.subscribe(connection, app_id, "one", [Kind.PERSON_CHANGED])
    put(connection, app_id)
    (held,) = claim(connection)
    assert claim(connection, "other") == []

    connection.execute(text("UPDATE outbox SET due_at = now() - interval '1 second'"))
    (again,) = claim(connection, "other")

    assert (again.id, again.attempt) == (held.id, 2)
    assert outbox.acknowledge(connection, [held]) == 0, "the first taker has lost it"
    assert outbox.acknowledge(connection, [again]) == 1
    assert outbox.acknowledge(connection, [again]) == 0


def test_what_is_handed_back_comes_again_after_the_delay(connection: Connection) -> None:
    app_id = next(_numbers)
    outbox.subscribe(connection, app_id, "one", [Kind.PERSON_CHANGED])
    put(connection, app_id)
    held = claim(connection)

    assert outbox.release(connection, held, 3_600) == 1
    assert claim(connection) == []
    assert outbox.release(connection, held, 0) == 1
    assert [one.attempt for one in claim(connection)] == [2]


def test_old_entries_are_dropped_and_so_are_those_of_who_left(connection: Connection) -> None:
    app_id = next(_numbers)
    gone = outbox.subscribe(connection, app_id, "gone", [Kind.PERSON_CHANGED])
    put(connection, app_id)
    outbox.unsubscribe(connection, app_id, gone)
    assert claim(connection) == []

    outbox.subscribe(connection, app_id, "late", [Kind.PERSON_CHANGED])
    put(connection, app_id)
    connection.execute(text("UPDATE outbox SET created_at = now() - interval '8 days'"))
    assert outbox.prune(connection, 9) == 0
    assert outbox.prune(connection, 7) == 1


def test_several_takers_share_the_work_and_none_gets_anything_twice(own_engine: Engine) -> None:
    with own_engine.begin() as connection:
        outbox.subscribe(connection, 1, "one", [Kind.PERSON_CHANGED])
        for _ in range(200):
            put(connection, 1)

    def take(name: str) -> list[int]:
        taken: list[int] = []
        while True:
            with own_engine.begin() as connection:
                found = outbox.claim(connection, name, lease_seconds=60, limit=7)
            if not found:
                return taken
            with own_engine.begin() as connection:
                assert outbox.acknowledge(connection, found) == len(found)
            taken += [one.id for one in found]

    with ThreadPoolExecutor(6) as pool:
        shares = list(pool.map(take, "abcdef"))

    taken = [number for share in shares for number in share]
    assert len(taken) == len(set(taken)) == 200


_TAKER = """
import sys, time
from core.database import open_engine
from delivery.outbox import repository as outbox
engine = open_engine(sys.argv[1], pool_size=1)
with engine.begin() as connection:
    found = outbox.claim(connection, "taker", lease_seconds=2, limit=100)
    if sys.argv[2] == "inside":
        print(len(found), flush=True)
        time.sleep(60)
print(len(found), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("moment", ["inside", "after"])
def test_what_a_killed_taker_held_is_taken_by_the_next(
    own_engine: Engine, fresh_database: str, moment: str
) -> None:
    with own_engine.begin() as connection:
        outbox.subscribe(connection, 1, "one", [Kind.PERSON_CHANGED])
        for _ in range(10):
            put(connection, 1)
    taker = subprocess.Popen(
        [sys.executable, "-c", _TAKER, fresh_database, moment],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert taker.stdout is not None
    assert taker.stdout.readline().strip() == "10"
    began = time.monotonic()

    taker.send_signal(signal.SIGKILL)
    taker.communicate(timeout=30)
    taken: list[Entry] = []

    def take() -> bool:
        with own_engine.begin() as connection:
            taken.extend(claim(connection, "next"))
        return len(taken) == 10

    wait_until(take, 30, "the next one takes all")
    assert {one.attempt for one in taken} == {1 if moment == "inside" else 2}
    if moment == "after":
        assert time.monotonic() - began > 1, "the lease was not waited for"
