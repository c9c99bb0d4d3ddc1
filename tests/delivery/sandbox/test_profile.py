"""The profile: reading it from JSON, and its draws."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.sandbox.profile import (
    Forced,
    Latency,
    Profile,
    ProfileError,
    change_profile,
    draw,
    latency_seconds,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Profile()),
        ({"seed": 5}, Profile(seed=5)),
        ({"latency": 20}, Profile(latency=Latency(20, 20, 20))),
        (
            {"latency": {"p50": 50, "p99": 500, "max": 5000}},
            Profile(latency=Latency(50, 500, 5000)),
        ),
        ({"slow_seconds": 2}, Profile(slow_seconds=2.0)),
        ({"message_keys": ["id"]}, Profile(message_keys=("id",))),
        ({"fcm_quota_per_minute": 10}, Profile(fcm_quota_per_minute=10)),
        (
            {"forced": [{"provider": "fcm", "outcome": "service_disabled"}]},
            Profile(forced=(Forced("fcm", "service_disabled"),)),
        ),
    ],
)
def test_a_change_is_read(changes: dict[str, Any], expected: Profile) -> None:
    assert change_profile(Profile(), changes) == expected


def test_null_restores_a_default() -> None:
    changed = change_profile(Profile(), {"latency": 20, "seed": 3})

    assert change_profile(changed, {"latency": None}) == Profile(seed=3)


@pytest.mark.parametrize(
    "changes",
    [
        {"speed": 1},
        {"seed": "1"},
        {"sink": 1},
        {"latency": -1},
        {"latency": "fast"},
        {"latency": {"p50": 5, "p99": 4, "max": 6}},
        {"latency": {"p50": 5}},
        {"server_error_share": 1.5},
        {"throttled_share": "half"},
        {"forced": {}},
        {"forced": [{"provider": "fcm"}]},
        {"forced": [{"provider": "sms", "outcome": "gone"}]},
        {"forced": [{"provider": "apns", "outcome": "sender_id_mismatch"}]},
        {"message_keys": "id"},
        {"fcm_quota_per_minute": -1},
        {"apns_environment": "staging"},
        {"oauth_failure": "sometimes"},
    ],
)
def test_a_wrong_change_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProfileError):
        change_profile(Profile(), changes)


def test_a_forced_outcome_may_be_for_one_credential() -> None:
    profile = Profile(forced=(Forced("apns", "shutdown", "KEY1"), Forced("fcm", "internal")))

    assert profile.outcome_forced_on("apns", "KEY1") == "shutdown"
    assert profile.outcome_forced_on("apns", "KEY2") is None
    assert profile.outcome_forced_on("fcm", "any project") == "internal"


@given(st.integers(0, 2**63), st.integers(0, 100), st.integers(0, 2**64 - 1))
def test_a_draw_is_a_share_and_repeats(seed: int, salt: int, push: int) -> None:
    drawn = draw(seed, salt, push)

    assert 0 <= drawn <= 1
    assert drawn == draw(seed, salt, push)


def test_draws_are_spread_evenly() -> None:
    drawn = [draw(1, 1, push) for push in range(10_000)]

    assert sum(drawn) / len(drawn) == pytest.approx(0.5, abs=0.02)
    assert sum(1 for one in drawn if one < 0.1) / len(drawn) == pytest.approx(0.1, abs=0.01)


@given(st.floats(0, 1))
def test_latency_lies_between_half_the_median_and_the_maximum(at: float) -> None:
    assert 0.0249 <= latency_seconds(Latency(50, 500, 5000), at) <= 5.0001


@pytest.mark.parametrize(("at", "seconds"), [(0.5, 0.05), (0.99, 0.5), (1.0, 5.0)])
def test_latency_meets_its_percentiles(at: float, seconds: float) -> None:
    assert latency_seconds(Latency(50, 500, 5000), at) == pytest.approx(seconds)


def test_a_fixed_latency_is_fixed() -> None:
    assert latency_seconds(Latency(20, 20, 20), 0.1) == 0.02
