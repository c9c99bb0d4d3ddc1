"""The arithmetic of a forecast: closed forms, and what must hold whatever the numbers."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.forecasts.arithmetic import Estimate, Others, Road, estimate
from delivery.pacing.limits import QUOTA_SHARE

_FAST = 1e12
_QUOTA = 600_000
_SPEED = QUOTA_SHARE * _QUOTA / 60

amounts = st.integers(min_value=0, max_value=10_000_000)
rates = st.floats(min_value=0.001, max_value=1_000_000)
platforms = st.floats(min_value=1, max_value=1_000_000)
quotas = st.none() | st.integers(min_value=1, max_value=60_000_000)
others = st.builds(Others, amounts, st.none() | rates)
roads = st.builds(
    Road, amounts, quotas, st.just(0.0) | st.floats(1, 600), st.lists(others, max_size=3)
)
several = st.lists(roads, min_size=1, max_size=3)


def sent_within(seconds: float, road: Road) -> float:
    """What the quota lets through, added up in small steps of time."""
    if road.quota_per_minute is None:
        return math.inf
    steps = 20_000
    per_second = QUOTA_SHARE * road.quota_per_minute / 60
    times = ((step + 0.5) * seconds / steps for step in range(steps))
    ramp = road.ramp_seconds
    grown = (min(1.0, time / ramp) if ramp else 1.0 for time in times)
    return sum(per_second * share for share in grown) * seconds / steps


@pytest.mark.parametrize(
    ("road", "rate", "platform", "expected"),
    [
        (Road(300), 50.0, _FAST, Estimate(6.0, "rate")),
        (Road(10_000), None, 5_000.0, Estimate(2.0, "platform")),
        (Road(98_000, _QUOTA), None, _FAST, Estimate(10.0, "quota")),
        # While the speed grows, the pushes are the area of a triangle.
        (Road(98_000, _QUOTA, 60.0), None, _FAST, Estimate(math.sqrt(1_200.0), "quota")),
        # A ramp costs half its length.
        (Road(980_000, _QUOTA, 60.0), None, _FAST, Estimate(130.0, "quota")),
        (Road(980_000, _QUOTA, 60.0), 980.0, _FAST, Estimate(1_003.0, "rate")),
        (Road(49_000, _QUOTA, 0.0, [Others(49_000)]), None, _FAST, Estimate(10.0, "quota")),
        (Road(5_000, None, 0.0, [Others(5_000)]), None, 1_000.0, Estimate(10.0, "platform")),
        # The other message is held to a tenth of the quota, and leaves nine tenths to us.
        (Road(8_820, _QUOTA, 0.0, [Others(10**9, 980.0)]), None, _FAST, Estimate(1.0, "quota")),
        (Road(0, _QUOTA, 60.0, [Others(10**6)]), 1.0, 1.0, Estimate(0.0, None)),
    ],
)
def test_simple_cases_have_a_closed_form(
    road: Road, rate: float | None, platform: float, expected: Estimate
) -> None:
    found = estimate([road], rate, platform)

    assert found.seconds == pytest.approx(expected.seconds, rel=1e-6)
    assert found.limited_by == expected.limited_by


def test_the_rate_and_the_platform_are_shared_by_all_roads() -> None:
    halves = [Road(150, _QUOTA), Road(150)]

    assert estimate(halves, 50.0, _FAST).seconds == pytest.approx(6.0)
    assert estimate(halves, None, 100.0).seconds == pytest.approx(3.0)


def test_nobody_takes_no_time() -> None:
    assert estimate([], None, 1.0) == Estimate(0.0, None)


@given(several, st.none() | rates, platforms, st.data())
def test_more_recipients_never_take_less_time(
    ways: list[Road], rate: float | None, platform: float, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(ways) - 1))
    more = list(ways)
    more[place] = replace(ways[place], recipients=ways[place].recipients + data.draw(amounts))

    fewer, many = (estimate(one, rate, platform).seconds for one in (ways, more))

    assert many >= fewer * (1 - 1e-9)


@given(several, st.none() | rates, platforms)
def test_nothing_is_faster_than_quota_rate_and_platform(
    ways: list[Road], rate: float | None, platform: float
) -> None:
    found = estimate(ways, rate, platform)

    total = sum(road.recipients for road in ways)
    assert found.seconds * min(rate or _FAST, platform) >= total * (1 - 1e-9)
    for road in ways:
        assert sent_within(found.seconds, road) >= road.recipients * (1 - 1e-3)
    assert (found.limited_by is None) == (total == 0)
    assert math.isfinite(found.seconds)


@given(several, st.none() | rates, platforms, others)
def test_what_others_have_waiting_never_makes_it_faster(
    ways: list[Road], rate: float | None, platform: float, more: Others
) -> None:
    busier = [replace(ways[0], others=[*ways[0].others, more]), *ways[1:]]

    assert estimate(busier, rate, platform).seconds >= estimate(ways, rate, platform).seconds * (
        1 - 1e-9
    )


@given(several, rates, platforms, st.floats(1, 100))
def test_a_higher_rate_never_takes_longer(
    ways: list[Road], rate: float, platform: float, factor: float
) -> None:
    slow, fast, free = (
        estimate(ways, one, platform).seconds for one in (rate, rate * factor, None)
    )

    assert slow * (1 + 1e-9) >= fast
    assert fast * (1 + 1e-9) >= free
