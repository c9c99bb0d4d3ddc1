"""The ramp: a quota comes up slowly while it is used, and goes down while it is not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from core.database import open_engine
from delivery.engine.window import window_size
from delivery.pacing.gcra import Limit
from delivery.pacing.limits import QUOTA_SHARE
from delivery.pacing.ramp import Ramp
from tests.delivery.pacing.gates import Gate

SECONDS = 60.0
QUOTA = 3_000.0  # a second


@pytest.fixture
def database(fresh_database: str) -> Iterator[Engine]:
    database = open_engine(fresh_database, pool_size=4)
    yield database
    database.dispose()


def pass_time(database: Engine, seconds: float, *ramps: Ramp) -> None:
    """Let so much time pass since the last note, however long the test itself took."""
    with database.begin() as connection:
        connection.execute(
            text("UPDATE pace SET level_at = clock_timestamp() - make_interval(secs => :s)"),
            {"s": seconds},
        )
    for ramp in ramps:
        for known in ramp._known.values():
            known.read_at -= seconds


def levels(database: Engine, ramps: list[Ramp], shares: list[float], *, count: int) -> list[float]:
    """Return the level of each second while each ramp uses its share of what it may."""
    found = []
    for _ in range(count):
        found.append(ramps[0].level("quota", QUOTA))
        for ramp, share in zip(ramps, shares, strict=True):
            ramp.used("quota", int(ramp.level("quota", QUOTA) * QUOTA * share))
        pass_time(database, 1.0, *ramps)
    return found


def test_it_rises_by_the_second_while_it_is_used(database: Engine) -> None:
    found = levels(database, [Ramp(database, SECONDS)], [1.0], count=70)

    assert found[:60] == pytest.approx([second / 60 for second in range(1, 61)], rel=0.02)
    assert found[60:] == pytest.approx([1.0] * 10)


def test_it_falls_at_the_same_pace_while_it_is_not_used(database: Engine) -> None:
    ramp = Ramp(database, SECONDS)
    levels(database, [ramp], [1.0], count=31)

    falling = levels(database, [ramp], [0.0], count=10)
    pass_time(database, 15.0, ramp)
    after_a_pause = ramp.level("quota", QUOTA)
    pass_time(database, 3600.0, ramp)

    assert falling[1] - falling[9] == pytest.approx(8 / 60, abs=0.01)
    assert after_a_pause == pytest.approx(falling[9] - 16 / 60, abs=0.02)
    assert ramp.level("quota", QUOTA) == pytest.approx(1 / 60)


def test_a_trickle_does_not_open_it_for_a_flood(database: Engine) -> None:
    found = levels(database, [Ramp(database, SECONDS)], [0.3], count=30)

    assert found == pytest.approx([1 / 60] * 30)


def test_workers_share_one_level_and_what_they_use_is_added_up(database: Engine) -> None:
    ramps = [Ramp(database, SECONDS), Ramp(database, SECONDS)]

    found = levels(database, ramps, [0.4, 0.4], count=20)

    # None of them uses half of it alone.
    assert found[-1] == pytest.approx(20 / 60, abs=2 / 60)
    assert {ramp.level("quota", QUOTA) for ramp in ramps} == {ramps[0].level("quota", QUOTA)}


def test_a_worker_that_comes_later_starts_at_the_level_of_the_others(database: Engine) -> None:
    ramp = Ramp(database, SECONDS)
    levels(database, [ramp], [1.0], count=30)

    assert Ramp(database, SECONDS).level("quota", QUOTA) == pytest.approx(30 / 60, abs=1.1 / 60)


def test_quotas_know_nothing_of_each_other(database: Engine) -> None:
    ramp = Ramp(database, SECONDS)
    levels(database, [ramp], [1.0], count=30)

    assert ramp.level("another", QUOTA) == pytest.approx(1 / 60)


@pytest.mark.parametrize(("per_second", "expected"), [(1.0, 1.0), (10.0, 1.0), (40.0, 0.25)])
def test_low_quotas_have_little_or_nothing_to_climb(
    database: Engine, per_second: float, expected: float
) -> None:
    assert Ramp(database, SECONDS).level("quota", per_second) == pytest.approx(expected)


def test_without_a_ramp_all_of_it_may_be_used_at_once(database: Engine) -> None:
    assert Ramp(database, 0).level("quota", QUOTA) == 1.0


def test_no_second_of_the_first_minute_sees_more_than_its_part(
    database: Engine,
) -> None:
    ramp, gate = Ramp(database, SECONDS), Gate(Limit("quota", 1.0))

    for _ in range(75):
        per_second = QUOTA * QUOTA_SHARE * ramp.level("quota", QUOTA * QUOTA_SHARE)
        gate.limit = replace(gate.limit, per_second=per_second)
        for _ in range(20):
            pushes = window_size(500, per_second, 500)
            while gate.ask(pushes) is not None:
                ramp.used("quota", pushes)
            gate.pass_time(0.05)
        pass_time(database, 1.0, ramp)

    seconds, largest = [0] * 80, [0] * 80
    for one in gate.granted:
        second = int(one.leaves_at + 1e-9)
        seconds[second] += one.pushes
        largest[second] = max(largest[second], one.pushes)
    # What FCM flags: more than target / 60 * t in the second t. A window leaves at once, though
    # its permits reach into the next second: by no more than that one does it ever run ahead.
    slope = [QUOTA / 60 * second for second in range(1, 61)]
    for second, allowed in enumerate(slope):
        assert seconds[second] <= allowed + largest[second]
        assert sum(seconds[: second + 1]) <= sum(slope[: second + 1]) + largest[second]
    # And it does come up: the whole quota, to within what is kept back.
    assert sum(seconds[:60]) >= 0.9 * QUOTA_SHARE * sum(slope)
    assert sum(seconds[62:72]) >= 0.97 * 10 * QUOTA - max(largest)
