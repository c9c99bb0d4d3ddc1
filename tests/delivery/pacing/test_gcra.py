"""The cell rate algorithm: never more than the rate, and never less for those who keep asking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.pacing.gcra import HORIZON_SECONDS, Limit, Mark, Wish, grant
from tests.delivery.pacing.gates import Gate

RATES = st.floats(0.05, 20_000)
BURSTS = st.sampled_from([0.0, 0.1, 1.0])
PAUSES = st.floats(0, 5)
SIZES = st.integers(1, 500)
ASKS = st.lists(st.tuples(PAUSES, SIZES), min_size=1, max_size=40)


def gate_of(rate: float, burst: float = 0.0) -> Gate:
    return Gate(Limit("scope", rate, burst))


@given(RATES, BURSTS, ASKS)
def test_no_stretch_of_time_sees_more_than_rate_burst_and_one_window(
    rate: float, burst: float, asks: list[tuple[float, int]]
) -> None:
    gate = gate_of(rate, burst)

    for pause, pushes in asks:
        gate.pass_time(pause)
        gate.ask(pushes)

    assert gate.excess() <= 0


@given(st.floats(1, 5_000), BURSTS, st.integers(50, 500), st.floats(0.001, 0.2))
def test_who_keeps_asking_never_gets_less_than_the_rate(
    rate: float, burst: float, pushes: int, pause: float
) -> None:
    gate = gate_of(rate, burst)

    for _ in range(100):
        while gate.ask(pushes) is not None:
            pass
        gate.pass_time(pause)

    assert gate.total >= rate * gate.now
    assert gate.excess() <= 0


@given(st.floats(0, 1), st.integers(1, 50), st.floats(0, 3600))
def test_what_was_not_used_is_caught_up_on_within_the_burst_alone(
    burst: float, pushes: int, idle: float
) -> None:
    gate = gate_of(10.0, burst)
    gate.ask(pushes)

    gate.pass_time(idle)
    at_once = 0
    while gate.ask(1, horizon=0.0) == 0.0:
        at_once += 1

    assert at_once <= 10.0 * burst + 1 + 1e-6


@given(st.floats(100, 10_000), st.floats(0.01, 0.5), st.integers(50, 500), st.integers(1, 10))
def test_a_reserved_share_waits_for_nobody_and_the_total_holds(
    rate: float, share: float, campaign: int, transactional: int
) -> None:
    gate, reserved = gate_of(rate, 1.0), rate * share
    due, waits = 0.0, []

    while gate.now < 5:
        while gate.ask(campaign) is not None:
            pass
        if gate.now >= due:
            waits.append(gate.ask(transactional, reserved=reserved))
            due += transactional / reserved + 1e-9
        gate.pass_time(min(0.02, due - gate.now) if due > gate.now else 0.0)

    assert set(waits) == {0.0}
    ahead = gate.limit.burst_seconds + HORIZON_SECONDS
    assert gate.total <= rate * (gate.now + ahead) + 2 * gate.largest + transactional
    assert gate.total >= rate * gate.now


@given(st.floats(100, 2_000), st.floats(0.01, 0.5), st.integers(5, 50), st.floats(0.001, 0.05))
def test_a_reserved_share_alone_may_take_the_whole_quota_and_no_more(
    rate: float, share: float, pushes: int, pause: float
) -> None:
    gate = gate_of(rate)

    for _ in range(100):
        while gate.ask(pushes, reserved=rate * share) is not None:
            pass
        gate.pass_time(pause)

    ahead = HORIZON_SECONDS * (1 + share)
    assert rate * gate.now <= gate.total <= rate * (gate.now + ahead) + 3 * pushes


@given(RATES, RATES, st.floats(0, 10_000))
def test_a_new_rate_rescales_what_is_owed(old: float, new: float, owed_seconds: float) -> None:
    mark = Mark(owed_seconds, old)

    wait, _ = grant([Limit("scope", new)], [mark], Wish(1, horizon_seconds=1e12))

    # The same pushes are owed, at another speed.
    assert wait * new == pytest.approx(owed_seconds * old)


@given(RATES, st.floats(0.001, 100), st.floats(0, 0.9))
def test_what_one_limit_refuses_no_limit_counts(rate: float, owed: float, part: float) -> None:
    limits = [Limit("free", rate), Limit("spent", rate)]

    wait, marks = grant(limits, [None, Mark(owed, rate)], Wish(10, horizon_seconds=owed * part))

    assert wait == pytest.approx(owed)
    assert marks == []


@given(st.floats(0.01, 5), st.floats(-3, 3), st.floats(-10, 10), st.sampled_from([None, 0.0, 50.0]))
def test_a_new_pacer_waits_for_the_permits_of_the_one_before(
    settle: float, due_in: float, reserved_in: float, reserved: float | None
) -> None:
    mark = None if reserved is None else Mark(due_in, 10.0, reserved_in)
    limit = Limit("scope", 10.0, 1.0)

    wait, _ = grant([limit], [mark], Wish(5, 100.0, settle))

    assert wait == pytest.approx(settle if mark is None else max(settle, due_in))


def test_the_slowest_limit_decides() -> None:
    limits = [Limit("a", 10.0), Limit("b", 100.0), Limit("c", 1.0)]

    wait, marks = grant(limits, [Mark(0.2, 10.0), Mark(0.7, 100.0), None], Wish(5))

    assert wait == 0.7
    assert [mark.due_in for mark in marks] == pytest.approx([0.7, 0.75, 5.0])
