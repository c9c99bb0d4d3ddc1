"""Claims are fair, complete, and cheap however long the queue is."""

import threading
from collections import Counter

import pytest
from sqlalchemy import Connection, Engine, text

from tests.delivery.chunks.queues import Queue


@pytest.fixture
def queue(fresh_engine: Engine) -> Queue:
    return Queue(fresh_engine)


def test_a_short_queue_is_served_beside_a_long_one_that_was_there_before(queue: Queue) -> None:
    app = queue.add_app("app")
    queue.add("long", app, 200, age=100)
    queue.add("short", app, 3, age=1)

    got = [queue.claim(2, {}) for _ in range(3)]

    assert [Counter(names) for names in got] == [Counter({"long": 1, "short": 1})] * 3
    assert queue.claim(2) == ["long", "long"]


def test_one_at_a_time_they_alternate_by_what_is_held(queue: Queue) -> None:
    app = queue.add_app("app")
    queue.add("long", app, 200, age=100)
    queue.add("short", app, 3, age=1)
    held: Counter[str] = Counter()

    for _ in range(6):
        held.update(queue.claim(1, dict(held)))

    assert held == {"long": 3, "short": 3}


@pytest.mark.parametrize("limit", [1, 4])
def test_messages_get_chunks_by_their_weights(queue: Queue, limit: int) -> None:
    app = queue.add_app("app")
    queue.add("light", app, 100, age=100)
    queue.add("heavy", app, 100, weight=3)

    assert queue.drain(limit, 24 // limit) == {"light": 6, "heavy": 18}


@pytest.mark.parametrize("lane", ["campaign", "transactional"])
@pytest.mark.parametrize("limit", [1, 4])
def test_apps_get_chunks_by_their_weights(queue: Queue, limit: int, lane: str) -> None:
    light, heavy = queue.add_app("light"), queue.add_app("heavy", weight=3)
    for number in range(5):
        queue.add(f"light-{number}", light, 40, age=100, lane=lane)
    queue.add("heavy", heavy, 100, lane=lane)

    got = queue.drain(limit, 24 // limit, lane)

    assert got["heavy"] == 18
    assert sum(count for name, count in got.items() if name != "heavy") == 6


def test_a_message_that_goes_slowly_needs_few_chunks_at_once(queue: Queue) -> None:
    app = queue.add_app("app")
    queue.add("slow", app, 100, rate=10.0, age=100)
    queue.add("quick", app, 100, rate=5_000.0)
    queue.add("free", app, 100)

    got = queue.drain(4, 10)

    assert got["slow"] <= 2
    assert got["quick"] == pytest.approx(11, abs=2)
    assert sum(got.values()) == 40


def test_what_has_no_permits_for_long_is_skipped(queue: Queue) -> None:
    app = queue.add_app("app")
    queue.add("far", app, 10, age=100)
    queue.add("near", app, 2)

    assert queue.claim(4, refused=["far"]) == ["near", "near"]
    assert queue.claim(1) == ["far"]


def test_what_was_cancelled_or_has_expired_comes_to_its_end_whatever_holds_it_back(
    queue: Queue,
) -> None:
    app = queue.add_app("app")
    queue.add("cancelled", app, 1, rate=0.1, state="cancelled")
    queue.add("expired", app, 1, rate=0.1, life=-1.0)
    queue.change("UPDATE credential SET frozen_until = now() + interval '1 hour'")

    got = queue.claim(4, {"cancelled": 5}, refused=["cancelled", "expired"])

    assert sorted(got) == ["cancelled", "expired"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE message SET state = 'paused'",
        "UPDATE credential SET state = 'paused'",
        "UPDATE credential SET frozen_until = now() + interval '1 hour'",
        "UPDATE chunk SET due_at = now() + interval '1 hour'",
        "UPDATE chunk SET lease_until = now() + interval '1 hour'",
    ],
)
def test_what_may_not_be_sent_now_is_not_claimed(queue: Queue, sql: str) -> None:
    app = queue.add_app("app")
    queue.add("one", app, 5)
    queue.change(sql)

    assert queue.claim(4) == []


def test_lanes_are_apart(queue: Queue) -> None:
    app = queue.add_app("app")
    queue.add("news", app, 5)
    queue.add("code", app, 5, lane="transactional")

    assert set(queue.claim(10)) == {"news"}
    assert set(queue.claim(10, lane="transactional")) == {"code"}


def test_workers_at_once_never_get_the_same_chunk_and_none_stays_idle(queue: Queue) -> None:
    app, other = queue.add_app("app"), queue.add_app("other")
    queue.add("long", app, 300, age=100)
    queue.add("short", other, 100)
    got: list[list[int]] = [[], []]
    idle = [0, 0]
    start = threading.Barrier(2)

    def work(number: int) -> None:
        for _ in range(40):
            start.wait(30)
            with queue.database.begin() as connection:
                leases = queue.claim_on(connection, 4)
            idle[number] += not leases
            got[number].extend(lease.id for lease in leases)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert idle == [0, 0]
    assert len(got[0]) == len(got[1]) == 160
    assert not set(got[0]) & set(got[1])


def test_who_comes_while_another_claims_gets_other_chunks_at_once(queue: Queue) -> None:
    app = queue.add_app("app")
    queue.add("one", app, 8)

    with queue.database.begin() as first, queue.database.begin() as second:
        one, two = queue.claim_on(first, 4), queue.claim_on(second, 4)

    assert len(one) == len(two) == 4
    assert not {lease.id for lease in one} & {lease.id for lease in two}


def rows_read(connection: Connection) -> dict[str, int]:
    found = connection.execute(
        text(
            "SELECT relname, (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int8 "
            "FROM pg_stat_xact_user_tables"
        )
    )
    return {name: int(count) for name, count in found}


@pytest.mark.parametrize("analysed", [False, True])
@pytest.mark.parametrize("lane", ["campaign", "transactional"])
def test_a_claim_among_thousands_reads_few_rows(queue: Queue, lane: str, *, analysed: bool) -> None:
    apps = [queue.add_app(f"app-{number}") for number in range(5)]
    fields = {"lane": lane, "state": "running", "rate": None, "weight": 1, "life": 3600.0}
    with queue.database.begin() as connection:
        for number in range(500):
            queue.add_to(connection, f"m-{number}", apps[number % 5], 4, age=10.0, **fields)
    if analysed:
        with queue.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))

    with queue.database.begin() as connection:
        before = rows_read(connection)
        leases = queue.claim_on(connection, 4, lane=lane)
        after = rows_read(connection)

    read = {name: after[name] - before.get(name, 0) for name in after}
    assert len(leases) == 4
    # One look for each share, and what may be claimed of it: four chunks of each message here.
    expected = 500 * (1 + 4) if lane == "campaign" else 5 * (1 + 8)
    assert read["chunk"] <= 1.5 * expected + 50, read
    if analysed:
        # Knowing nothing of the messages, PostgreSQL looks at all of an app's to find one.
        assert read["message"] <= 1.5 * expected + 50, read


OF_BIG = "(SELECT id FROM message WHERE public_id = 'big')"
PAUSED = f"UPDATE message SET state = 'paused' WHERE id = {OF_BIG}"
LEASED = f"UPDATE chunk SET lease_until = now() + interval '1 hour' WHERE message_id = {OF_BIG}"


@pytest.mark.parametrize("analysed", [False, True])
@pytest.mark.parametrize("sql", ["", PAUSED, LEASED])
def test_a_long_queue_of_one_message_is_not_read_through(
    queue: Queue, sql: str, *, analysed: bool
) -> None:
    app = queue.add_app("app")
    queue.add("big", app, 2_000, age=100)
    queue.add("small", app, 4)
    if sql:
        queue.change(sql)
    if analysed:
        with queue.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))

    with queue.database.begin() as connection:
        before = rows_read(connection)
        leases = queue.claim_on(connection, 4)
        after = rows_read(connection)

    read = {name: after[name] - before.get(name, 0) for name in after}
    assert len(leases) == 4
    assert read["message"] <= 100, read
    if sql != LEASED:
        assert read["chunk"] <= 100, read
