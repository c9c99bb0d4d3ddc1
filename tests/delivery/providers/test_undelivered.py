"""Requests without an answer, and Retry-After."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import steady_seconds
from delivery.outcome import Paused, Rejected, Retry, Scope, Unknown, Withdrawn
from delivery.providers.undelivered import may_go_again, result_outcome, retry_after
from delivery.transport import Ambiguous, NotProcessed, Result

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_no_connection_is_no_attempt() -> None:
    outcome = result_outcome(NotProcessed("connect", "refused"))

    assert outcome == Retry("gateway_unreachable", Scope.CONNECTION, counts=False)


def test_what_was_withdrawn_says_so_and_is_not_sent_again() -> None:
    result = NotProcessed("withdrawn", "withdrawn before anything was written")

    assert result_outcome(result) == Withdrawn()
    assert not may_go_again(result, 0, steady_seconds() + 10)


def test_a_refused_stream_is_no_attempt() -> None:
    outcome = result_outcome(NotProcessed("refused", "closed"))

    assert outcome == Retry("stream_refused", Scope.CONNECTION, counts=False)


def test_a_gateway_that_is_not_trusted_stops_the_credential() -> None:
    outcome = result_outcome(NotProcessed("certificate", "self-signed certificate"))

    assert isinstance(outcome, Paused)
    assert outcome.reason == "gateway_not_trusted"
    assert "self-signed certificate" in outcome.words
    assert "CARILLON_GATEWAY_CA_FILE" in outcome.words


def test_silence_after_the_whole_request_is_in_doubt() -> None:
    assert result_outcome(Ambiguous("timeout")) == Unknown("timeout")
    assert result_outcome(Ambiguous("Recv failure: reset")) == Unknown("connection_lost")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("999999999", 86_400.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_retry_after_may_be_absent() -> None:
    assert retry_after({}, NOW) is None


@given(st.text(max_size=40))
def test_retry_after_stays_within_bounds(text: str) -> None:
    seconds = retry_after({"retry-after": text}, NOW)

    assert seconds is None or 0 <= seconds <= 86_400


def test_a_push_that_never_left_is_no_attempt() -> None:
    outcome = result_outcome(NotProcessed("unsent", "no stream became free in time"))

    assert outcome == Retry("gateway_busy", Scope.CONNECTION, counts=False)


def test_headers_over_the_gateways_limit_are_never_sent_again() -> None:
    outcome = result_outcome(NotProcessed("too_large", "its headers are too large"))

    assert outcome == Rejected("too_large", "its headers are too large")


@pytest.mark.parametrize(
    ("result", "resends", "late", "again"),
    [
        (NotProcessed("refused", "beyond GOAWAY"), 0, False, True),
        (NotProcessed("unsent", "connection lost"), 2, False, True),
        (NotProcessed("refused", "beyond GOAWAY"), 3, False, False),
        (NotProcessed("refused", "beyond GOAWAY"), 0, True, False),
        (NotProcessed("connect", "refused"), 0, False, False),
        (Ambiguous("timeout"), 0, False, False),
    ],
)
def test_what_was_not_processed_goes_again_at_once_a_few_times_in_its_time(
    result: Result, resends: int, *, late: bool, again: bool
) -> None:
    deadline = steady_seconds() + (-1 if late else 60)

    assert may_go_again(result, resends, deadline) is again
