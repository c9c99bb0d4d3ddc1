"""Requests without an answer, and Retry-After."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.outcome import Paused, Retry, Scope, Unknown
from delivery.providers.undelivered import result_outcome, retry_after
from delivery.transport import Ambiguous, NotProcessed

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_no_connection_is_no_attempt() -> None:
    outcome = result_outcome(NotProcessed("connect", "refused"))

    assert outcome == Retry("gateway_unreachable", Scope.CONNECTION, counts=False)


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
