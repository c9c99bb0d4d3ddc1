"""Retry times: in bounds, never before a Retry-After, and they stop."""

from hypothesis import given
from hypothesis import strategies as st

from delivery.retry import RetryRules, delay_seconds, is_exhausted

RULES = RetryRules(floor_seconds=10.0, ceiling_seconds=3_600.0, max_attempts=8)
JITTER = st.floats(min_value=0.0, max_value=1.0, exclude_max=True)


@given(attempt=st.integers(1, 100), jitter=JITTER)
def test_a_delay_lies_between_the_floor_and_the_ceiling(attempt: int, jitter: float) -> None:
    delay = delay_seconds(RULES, attempt, None, jitter)

    assert 10.0 <= delay <= 3_600.0


@given(attempt=st.integers(1, 100), after=st.floats(0.0, 3_600.0), jitter=JITTER)
def test_retry_after_is_never_undercut(attempt: int, after: float, jitter: float) -> None:
    delay = delay_seconds(RULES, attempt, after, jitter)

    assert min(after, 3_600.0) <= delay <= 3_600.0


def test_the_reach_of_the_jitter_doubles() -> None:
    latest = [delay_seconds(RULES, attempt, None, 0.999_999) for attempt in (1, 2, 3)]

    assert [round(delay) for delay in latest] == [20, 40, 80]


def test_attempts_and_the_hour_run_out() -> None:
    assert is_exhausted(RULES, 8, 0.0)
    assert is_exhausted(RULES, 2, 3_600.0)
    assert not is_exhausted(RULES, 7, 3_599.0)


def test_a_first_attempt_never_comes_too_late_for_a_second() -> None:
    assert not is_exhausted(RULES, 1, 7_200.0)
