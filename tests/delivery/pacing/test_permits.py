"""Redis and PostgreSQL give the permits that the arithmetic gives, by their own clocks."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import cast

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from core.database import open_engine
from delivery.pacing import postgres_permits, standing
from delivery.pacing.gcra import Limit, Mark, Share, Wish, grant
from delivery.pacing.redis_permits import RedisPermits, Turned
from delivery.pacing.standing import Standing
from tests.delivery.pacing.stores import Kept, PostgresStore, RedisStore, Store

_SERIALS = count()
_STEPS = 200
# What six digits behind the point leave of a moment and of a wait.
_DIGITS = 5e-6


@pytest.fixture(params=["redis", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "redis":
        with redis.Redis.from_url(request.getfixturevalue("redis_url")) as client:
            yield RedisStore(client, request.getfixturevalue("redis_prefix"))
        return
    database = open_engine(request.getfixturevalue("fresh_database"), pool_size=4)
    yield PostgresStore(database)
    database.dispose()


rates = st.floats(0.01, 50_000).map(lambda rate: float(f"{rate:.9g}"))
shares = st.sampled_from(list(Share))
limits = st.tuples(rates, st.sampled_from([0.0, 0.1, 1.0]), st.one_of(st.just(0.0), rates), shares)
marks = st.one_of(st.none(), st.tuples(st.floats(-90, 30), st.floats(-5, 5), rates))
cases = st.lists(st.tuples(limits, marks), min_size=1, max_size=3)
wishes = st.builds(
    Wish, st.integers(1, 500), st.sampled_from([0.5, 1.0, 40.0]), st.sampled_from([0.0, 1.25])
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=cases, wish=wishes)
def test_a_store_gives_what_the_arithmetic_gives(
    cases: list[tuple[tuple[float, float, float, Share], tuple[float, float, float] | None]],
    wish: Wish,
    store: Store,
) -> None:
    asked = [Limit(f"test:{next(_SERIALS)}", *values) for values, _ in cases]
    now = store.now()
    for limit, (_, mark) in zip(asked, cases, strict=True):
        if mark is not None:
            store.put(limit.scope, (now + mark[0], now + mark[1], mark[2]))
    before = [store.get(limit.scope, limit.share) for limit in asked]

    began = store.now()
    wait = store.take(asked, wish)
    ended = store.now()
    after = [store.get(limit.scope, limit.share) for limit in asked]

    # Some moment between the two explains all that is seen.
    step = (ended - began) / _STEPS
    moments = [began + step * number for number in range(_STEPS + 1)]
    speeds = [kept[2] / limit.per_second for kept, limit in zip(before, asked, strict=True) if kept]
    # What is owed at a quick rate takes so much longer at a slow one, and so do digits left out.
    slack = (_DIGITS + step) * max([1.0, *speeds])
    expected = ((now, *grant(asked, relative(before, now), wish)) for now in moments)
    assert any(
        abs(expected_wait - wait) <= slack and fits(after, now, new, slack)
        if new
        else abs(expected_wait - wait) <= slack and after == before
        for now, expected_wait, new in expected
    )


def relative(kept: list[Kept | None], now: float) -> list[Mark | None]:
    return [Mark(one[0] - now, one[2], one[1] - now) if one else None for one in kept]


def fits(after: list[Kept | None], now: float, expected: list[Mark], slack: float) -> bool:
    return all(
        kept is not None
        and abs(kept[0] - now - mark.due_in) <= slack
        and abs(kept[1] - now - mark.reserved_in) <= slack
        and kept[2] == pytest.approx(mark.per_second, rel=1e-8)
        for kept, mark in zip(after, expected, strict=True)
    )


def test_many_who_ask_at_once_get_each_permit_once(store: Store) -> None:
    limit, waits = Limit("crowd", 1_000.0), list[float]()

    def ask() -> None:
        for _ in range(25):
            waits.append(store.take([limit], Wish(10, horizon_seconds=60.0)))

    began = store.now()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ended, kept = store.now(), store.get("crowd")

    assert len(waits) == 100
    assert kept is not None
    # A thousand pushes take a second, and what passed before anybody asked is not made up for.
    assert began + 1.0 <= kept[0] <= ended + 1.0


def test_shares_of_a_limit_are_spent_apart(store: Store) -> None:
    busy = Limit("apart", 100.0)
    code, slow = (replace(busy, reserved_per_second=1.0, share=share) for share in Share)

    store.take([busy], Wish(90))
    waits = [store.take([limit], Wish(1)) for limit in (slow, code, slow, code)]

    assert waits[:2] == [0.0, 0.0]
    assert all(wait > 0.5 for wait in waits[2:])


def test_no_time_is_lost_between_batches(store: Store) -> None:
    limit = Limit("stream", 1_000.0)

    first = store.take([limit], Wish(500))
    kept = store.get("stream")
    for _ in range(50):
        store.take([limit], Wish(10, horizon_seconds=60.0))
    later = store.get("stream")

    assert first == 0.0
    assert kept is not None
    assert later is not None
    # Half a second lies ahead, so that the mark never waits for the clock.
    assert later[0] - kept[0] == pytest.approx(0.5, abs=1e-3)


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_a_redis_without_an_epoch_gives_nothing_until_told_to_begin(
    client: "redis.Redis", redis_prefix: str
) -> None:
    permits, seen = RedisPermits(client, redis_prefix), Standing("one", 3, "redis", 5.0, 0.0)
    asked = (seen, [Limit("a", 10.0)], Wish(1))

    wiped = permits.take(*asked, may_begin=False)
    begun = permits.take(*asked, may_begin=True)
    again = permits.take(*asked, may_begin=False)

    assert wiped is Turned.WIPED
    assert isinstance(begun, float)
    assert isinstance(again, float)


def test_an_epoch_ends_all_before_it_and_starts_with_fresh_marks(
    client: "redis.Redis", redis_prefix: str
) -> None:
    permits, limit = RedisPermits(client, redis_prefix), Limit("a", 1.0)
    old, new = (Standing("one", epoch, "redis", 5.0, 1e9) for epoch in (3, 4))

    permits.take(old, [limit], Wish(100), may_begin=True)
    waits = permits.take(old, [limit], Wish(1), may_begin=False)
    fresh = permits.take(new, [limit], Wish(1), may_begin=False)
    older = permits.take(old, [limit], Wish(1), may_begin=False)

    assert cast("float", waits) > 90
    assert fresh == 0.0
    assert older is Turned.OLDER


def test_installations_on_one_redis_know_nothing_of_each_other(
    client: "redis.Redis", redis_prefix: str
) -> None:
    permits, limit = RedisPermits(client, redis_prefix), Limit("a", 1.0)
    one, two = (Standing(name, 3, "redis", 5.0, 1e9) for name in ("one", "two"))

    permits.take(one, [limit], Wish(100), may_begin=True)

    assert permits.take(two, [limit], Wish(1), may_begin=False) is Turned.WIPED
    assert permits.take(two, [limit], Wish(1), may_begin=True) == 0.0


def test_marks_are_not_kept_for_longer_than_they_mean_something(
    client: "redis.Redis", redis_prefix: str
) -> None:
    permits, seen = RedisPermits(client, redis_prefix), Standing("one", 3, "redis", 5.0, 1e9)

    permits.take(seen, [Limit("a", 1.0), Limit("b", 1_000.0)], Wish(100), may_begin=True)

    lives = [client.ttl(f"{redis_prefix}pace:{{one}}:3:{scope}") for scope in ("a", "b")]
    assert 155 <= lives[0] <= 160
    assert 55 <= lives[1] <= 61


def test_postgresql_gives_nothing_in_an_epoch_that_is_not_its_own(engine_alone: Engine) -> None:
    with engine_alone.begin() as connection:
        seen = standing.read(connection)
        now = standing.switch(connection, seen, "postgresql")
        asked = ([Limit("a", 10.0)], Wish(1))

        assert postgres_permits.take(connection, seen.epoch, *asked) is None
        assert postgres_permits.take(connection, now.epoch, *asked) == 0.0
        back = standing.switch(connection, now, "redis")
        assert postgres_permits.take(connection, now.epoch, *asked) is None
        assert postgres_permits.take(connection, back.epoch, *asked) is None


@pytest.fixture
def engine_alone(fresh_database: str) -> Iterator[Engine]:
    database = open_engine(fresh_database, pool_size=4)
    yield database
    database.dispose()
