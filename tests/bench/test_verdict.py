"""The judge of the soak finds every lie a sender could tell."""

import pytest

from bench.senders.soaking import (
    AMBIGUOUS,
    ANSWERED,
    NEVER,
    NOT_PROCESSED,
    REFUSED,
    TWICE,
    Outcomes,
    outcome,
)
from bench.verdict import has_grown, judge
from delivery.transport import Ambiguous, Answer, NotProcessed, Result


def test_an_honest_sender_is_believed() -> None:
    verdict = judge(bytes([ANSWERED, NOT_PROCESSED, AMBIGUOUS, AMBIGUOUS]), [0, 3])

    assert verdict.broken() == []
    assert (verdict.answered, verdict.not_processed, verdict.ambiguous) == (1, 1, 2)
    assert verdict.processed_at_server == 2


@pytest.mark.parametrize(
    ("outcomes", "processed", "words"),
    [
        ([ANSWERED, NEVER], [0], "2 were sent, 1 ended"),
        ([ANSWERED, TWICE], [0, 1], "2 were sent, 1 ended"),
        ([ANSWERED, REFUSED], [0, 1], "2 were sent, 1 ended"),
        ([NOT_PROCESSED, ANSWERED], [0, 1], "1 were called not processed, and were processed"),
        ([ANSWERED, ANSWERED], [0], "1 were called answered, and were not processed"),
        ([ANSWERED, AMBIGUOUS], [0, 1, 1], "1 were processed twice"),
    ],
)
def test_each_lie_is_named(outcomes: list[int], processed: list[int], words: str) -> None:
    assert judge(bytes(outcomes), processed).broken() == [words]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Answer(200, {}, b""), ANSWERED),
        (Answer(503, {}, b""), REFUSED),
        (NotProcessed("refused", "beyond"), NOT_PROCESSED),
        (Ambiguous("timeout"), AMBIGUOUS),
    ],
)
def test_each_result_has_its_byte(result: Result, expected: int) -> None:
    assert outcome(result) == expected


def test_a_second_result_of_a_push_is_written_down() -> None:
    outcomes = Outcomes(2)

    outcomes.end(1, Ambiguous("timeout"))
    outcomes.end(1, Answer(200, {}, b""))

    assert list(outcomes.found) == [NEVER, TWICE]


def test_memory_that_grows_is_told_from_noise() -> None:
    assert not has_grown(40.0, 55.0)
    assert has_grown(40.0, 60.0)
