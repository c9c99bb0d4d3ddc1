"""From outcomes to consequences."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.chunks.chunk import CredentialVerdict, Ended, Retried
from delivery.engine.verdict import Attempt, Decision, decide, doubted, strictest
from delivery.outcome import (
    Accepted,
    Gone,
    Outcome,
    Paused,
    Rejected,
    Retry,
    Scope,
    Unknown,
    Withdrawn,
)
from delivery.retry import RetryRules

RULES = RetryRules(floor_seconds=10.0, ceiling_seconds=3_600.0, max_attempts=8)
SENT_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def attempt(
    *,
    number: int = 1,
    age_seconds: float = 0.0,
    expires_in_seconds: float = 86_400.0,
    at_least_once: bool = False,
) -> Attempt:
    return Attempt(3, 77, number, age_seconds, SENT_AT, expires_in_seconds, at_least_once)


def test_an_accepted_push_keeps_the_gateways_id() -> None:
    decision = decide(Accepted("projects/p/messages/1"), attempt(), RULES, 0.5)

    assert decision.end is not None
    assert (decision.end.position, decision.end.state) == (3, "accepted")
    assert decision.end.gateway == "projects/p/messages/1"


def test_gone_retires_the_target_as_of_the_gateways_moment() -> None:
    decision = decide(Gone("unregistered", at_ms=1_772_366_400_123), attempt(), RULES, 0.5)

    assert decision.end is not None
    assert decision.end.state == "gone"
    assert decision.target is not None
    assert (decision.target.target_id, decision.target.state) == (77, "retired")
    assert decision.target.at.timestamp() * 1000 == 1_772_366_400_123


def test_gone_without_a_moment_counts_from_the_start_of_the_send() -> None:
    decision = decide(Gone("unregistered"), attempt(), RULES, 0.5)

    assert decision.target is not None
    assert decision.target.at == SENT_AT


def test_what_was_withdrawn_goes_on_untried_at_once() -> None:
    decision = decide(Withdrawn(), attempt(number=3, expires_in_seconds=0.5), RULES, 0.5)

    assert decision == Decision(retry=Retried(3, 0.0, "", 3))


def test_a_suspect_rejection_never_retires() -> None:
    decision = decide(Rejected("bad_device_token", suspect=True), attempt(), RULES, 0.5)

    assert decision.end is not None
    assert decision.end.state == "rejected"
    assert decision.target is not None
    assert decision.target.state == "suspect"


def test_an_unknown_outcome_ends_at_most_once_and_returns_at_least_once() -> None:
    careful = decide(Unknown("timeout"), attempt(), RULES, 0.5)
    eager = decide(Unknown("timeout"), attempt(at_least_once=True), RULES, 0.5)

    assert careful.end is not None
    assert careful.end.state == "unknown"
    assert eager.retry is not None
    assert eager.retry.attempt == 2
    assert eager.retry.delay_seconds >= 10.0


def test_a_retry_past_the_hard_end_expires() -> None:
    decision = decide(
        Retry("unavailable", Scope.DEVICE), attempt(expires_in_seconds=5.0), RULES, 0.5
    )

    assert decision.end is not None
    assert decision.end.state == "expired"


def test_the_last_attempt_ends_rejected() -> None:
    decision = decide(Retry("unavailable", Scope.DEVICE), attempt(number=8), RULES, 0.5)

    assert decision.end is not None
    assert (decision.end.state, decision.end.reason) == ("rejected", "retries_exhausted")


def test_a_refused_stream_is_no_attempt() -> None:
    refused = Retry("stream_refused", Scope.CONNECTION, counts=False)
    decision = decide(refused, attempt(number=8), RULES, 0.5)

    assert decision.retry is not None
    assert decision.retry.attempt == 8


def test_a_project_quota_freezes_the_credential() -> None:
    outcome = Retry("quota_exceeded", Scope.PROJECT, after_seconds=60.0)
    decision = decide(outcome, attempt(), RULES, 0.0)

    assert decision.credential == CredentialVerdict(
        "quota_exceeded", "", freeze_seconds=60.0, slow_down=True
    )
    assert decision.retry is not None


def test_a_fault_of_the_credential_pauses_it_and_keeps_the_recipient() -> None:
    decision = decide(Paused("apns_forbidden", "Apple refuses."), attempt(number=2), RULES, 0.5)

    assert decision.credential == CredentialVerdict("apns_forbidden", "Apple refuses.")
    assert decision.retry is not None
    assert (decision.retry.attempt, decision.retry.delay_seconds) == (2, 0.0)


def test_a_fault_of_some_platforms_holds_them_and_is_no_attempt() -> None:
    outcome = Paused("third_party_auth_error", "Upload a valid APNs key.", platforms=("ios",))
    decision = decide(outcome, replace(attempt(number=8), platform="ios"), RULES, 0.5)
    other = decide(outcome, replace(attempt(number=7), platform="android"), RULES, 0.5)
    last = decide(outcome, replace(attempt(number=8), platform="android"), RULES, 0.5)

    assert decision.credential == CredentialVerdict(
        "third_party_auth_error", "Upload a valid APNs key.", platforms=("ios",)
    )
    assert decision.retry is not None
    assert decision.retry.attempt == 8
    # What no hold keeps back is tried as often as anything else.
    assert (other.credential, last.credential) == (None, None)
    assert other.retry is not None
    assert other.retry.attempt == 8
    assert last.end is not None
    assert last.end.reason == "retries_exhausted"


def test_a_pause_is_stricter_than_a_freeze_and_that_than_a_hold() -> None:
    hold = CredentialVerdict("third_party_auth_error", "", platforms=("ios",))
    freeze = CredentialVerdict("quota_exceeded", "", freeze_seconds=60.0)
    pause = CredentialVerdict("forbidden", "")

    assert strictest(hold, freeze) == strictest(freeze, hold) == freeze
    assert strictest(hold, pause) == strictest(pause, hold) == pause
    assert strictest(freeze, pause) == strictest(pause, freeze) == pause
    assert strictest(hold, None) == strictest(None, hold) == hold


def test_words_of_a_gateway_can_be_stored_whatever_they_are() -> None:
    rejected = decide(Rejected("invalid", "No\0" + "x" * 1_000), attempt(), RULES, 0.5)
    paused = decide(Paused("a\0b", "No\0"), attempt(), RULES, 0.5)

    assert rejected.end is not None
    assert rejected.end.gateway == "No" + "x" * 498
    assert paused.credential == CredentialVerdict("ab", "No")
    assert paused.retry is not None
    assert paused.retry.reason == "ab"


def test_a_pause_is_stricter_than_a_freeze() -> None:
    pause, freeze = CredentialVerdict("p", ""), CredentialVerdict("f", "", freeze_seconds=9.0)
    longer = CredentialVerdict("g", "", freeze_seconds=10.0)

    assert strictest(pause, freeze) is pause
    assert strictest(freeze, pause) is pause
    assert strictest(freeze, longer) == longer
    assert strictest(longer, freeze) == longer
    assert strictest(None, freeze) == freeze


OUTCOMES = st.one_of(
    st.builds(Accepted),
    st.builds(Gone, st.just("gone"), st.none()),
    st.builds(Rejected, st.just("r"), st.just(""), st.booleans()),
    st.builds(
        Retry, st.just("r"), st.sampled_from(Scope), st.none() | st.floats(0, 9_999), st.booleans()
    ),
    st.builds(Unknown, st.just("timeout")),
    st.builds(Paused, st.just("p"), st.just("w"), st.sampled_from([(), ("ios",)])),
)


@given(
    outcome=OUTCOMES,
    number=st.integers(1, 20),
    age=st.floats(0, 10_000),
    expires=st.floats(-10, 100_000),
    at_least_once=st.booleans(),
)
def test_every_outcome_ends_or_retries_and_never_both(
    outcome: Outcome, number: int, age: float, expires: float, *, at_least_once: bool
) -> None:
    given_attempt = attempt(
        number=number, age_seconds=age, expires_in_seconds=expires, at_least_once=at_least_once
    )
    decision = decide(outcome, given_attempt, RULES, 0.5)

    assert (decision.end is None) != (decision.retry is None)
    if decision.retry and not isinstance(outcome, Paused):
        assert decision.retry.delay_seconds < expires


@pytest.mark.parametrize(("number", "expires"), [(8, 86_400.0), (1, 5.0)])
def test_whoever_may_have_it_ends_unknown_when_it_is_not_sent_again(
    number: int, expires: float
) -> None:
    eager = attempt(number=number, expires_in_seconds=expires, at_least_once=True)

    end = decide(Unknown("timeout"), eager, RULES, 0.5).end

    assert end is not None
    assert (end.state, end.reason) == ("unknown", "timeout")


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (Ended(3, "suppressed", "cancelled"), "unknown"),
        (Ended(3, "expired", "ttl"), "unknown"),
        (Ended(3, "rejected", "retries_exhausted", "unavailable"), "unknown"),
        (Ended(3, "rejected", "bad_device_token"), "rejected"),
        (Ended(3, "gone", "unregistered"), "gone"),
        (Ended(3, "accepted"), "accepted"),
    ],
)
def test_of_whoever_may_have_it_only_the_gateway_says_otherwise(end: Ended, state: str) -> None:
    found = doubted(Decision(end=end)).end

    assert found is not None
    assert found.state == state
    assert (found.reason == "unconfirmed") is (state == "unknown")


def test_doubt_goes_along_into_the_next_try() -> None:
    again = doubted(Decision(retry=Retried(3, 10.0, "unavailable", 2)))

    assert again.retry == Retried(3, 10.0, "unavailable", 2, in_doubt=True)
