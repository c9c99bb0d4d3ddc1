"""Which failures of a chunk count, and for how long: pure."""

import psycopg
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from delivery.chunks.chunk import Step
from delivery.engine.defects import ATTEMPTS, Failures
from delivery.engine.open_chunk import OpenChunk
from tests.delivery.engine.chunks import lease_of

_SOME = 3


def claimed(policy: str = "at_most_once") -> OpenChunk:
    return OpenChunk(lease_of(_SOME, policy), 60.0)


def is_over(failures: Failures) -> bool:
    return len(failures.judge(claimed()).decisions) == _SOME


def test_as_many_failures_as_anything_is_tried_end_a_chunk() -> None:
    failures = Failures()

    for _ in range(ATTEMPTS):
        assert not is_over(failures)
        failures.note(claimed(), ZeroDivisionError())

    assert is_over(failures)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.DeadlockDetected(),
        psycopg.errors.AdminShutdown(),
        psycopg.OperationalError("the connection is lost"),
        PoolTimeoutError("no connection is free"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_by_itself_does_not_count(error: Exception) -> None:
    failures = Failures()

    for _ in range(ATTEMPTS):
        failures.note(claimed(), error)

    assert not is_over(failures)


def test_what_failed_before_a_success_does_not_count() -> None:
    failures = Failures()
    for _ in range(ATTEMPTS - 1):
        failures.note(claimed(), ZeroDivisionError())

    failures.forgive(claimed(), Step(1, (), accepted=[0], gateway_ids=["a"]))
    failures.note(claimed(), ZeroDivisionError())

    assert not is_over(failures)


def test_an_intent_alone_is_no_success() -> None:
    failures = Failures()

    for _ in range(ATTEMPTS):
        failures.note(claimed(), ZeroDivisionError())
        failures.forgive(claimed(), Step(1, (0,)))

    assert is_over(failures)
