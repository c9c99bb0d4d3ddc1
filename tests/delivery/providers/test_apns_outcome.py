"""Every row of Apple's table of reasons, written down a second time and by hand."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.outcome import Accepted, Gone, Outcome, Paused, Rejected, Retry, Scope, Unknown
from delivery.providers.apns_outcome import classify, refused_again
from delivery.transport import Answer

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

# https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
ROWS = """
400 BadCollapseId               rejected
400 BadDeviceToken              suspect
400 BadExpirationDate           rejected
400 BadMessageId                rejected
400 BadPriority                 rejected
400 BadTopic                    paused
400 DeviceTokenNotForTopic      suspect
400 DuplicateHeaders            rejected
400 IdleTimeout                 retry connection
400 InvalidPushType             rejected
400 MissingDeviceToken          rejected
400 MissingTopic                paused
400 PayloadEmpty                rejected
400 TopicDisallowed             paused
403 BadCertificate              paused
403 BadCertificateEnvironment   paused
403 ExpiredProviderToken        retry connection
403 Forbidden                   paused
403 InvalidProviderToken        paused
403 MissingProviderToken        paused
403 UnrelatedKeyIdInToken       retry connection
403 BadEnvironmentKeyIdInToken  paused
403 BadEnvironmentKeyInToken    paused
404 BadPath                     rejected
405 MethodNotAllowed            rejected
410 ExpiredToken                gone
410 Unregistered                gone
413 PayloadTooLarge             rejected
429 TooManyProviderTokenUpdates retry connection
429 TooManyRequests             retry device
500 InternalServerError         retry device
503 ServiceUnavailable          retry device
503 Shutdown                    retry connection
400 NeverHeardOf                rejected
403 NeverHeardOf                paused
404 NeverHeardOf                rejected
410 NeverHeardOf                gone
429 NeverHeardOf                retry device
500 NeverHeardOf                retry device
503 NeverHeardOf                retry device
501 NeverHeardOf                unknown
502 InternalServerError         unknown
504 InternalServerError         unknown
302 NeverHeardOf                paused
"""


def in_short(outcome: Outcome) -> str:
    """Spell an outcome as the tables do."""
    match outcome:
        case Rejected(suspect=True):
            return "suspect"
        case Retry(scope=scope):
            return f"retry {scope.value}"
        case _:
            return type(outcome).__name__.lower()


def answered(status: int, body: bytes, **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(Answer(status, named, body), NOW)


@pytest.mark.parametrize("row", ROWS.strip().splitlines())
def test_each_reason_has_its_outcome(row: str) -> None:
    status, reason, expected = row.split(maxsplit=2)

    outcome = answered(int(status), orjson.dumps({"reason": reason, "extra": [1]}))

    assert in_short(outcome) == expected


def test_success_needs_no_id_in_the_answer() -> None:
    assert answered(200, b"", apns_id="abc") == Accepted()
    assert answered(200, b"") == Accepted()


def test_success_with_a_foreign_body_is_in_doubt() -> None:
    assert answered(200, b"<html>Welcome to the hotel</html>") == Unknown("unreadable_answer")


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"Unregistered"', b'{"reason":7}'])
@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, "rejected"), (403, "paused"), (410, "gone"), (429, "retry device"), (502, "unknown")],
)
def test_an_unreadable_body_is_judged_by_its_status(
    status: int, expected: str, body: bytes
) -> None:
    assert in_short(answered(status, body)) == expected


@pytest.mark.parametrize(
    ("timestamp", "at_ms"),
    [
        (b"1795000000123", 1_795_000_000_123),
        (b"1795000000123.7", 1_795_000_000_123),
        (b"-5", None),
        (b"1e300", None),
        (b"true", None),
        (b'"1795000000123"', None),
        (b"null", None),
    ],
)
def test_the_moment_of_a_verdict_is_read_with_care(timestamp: bytes, at_ms: int | None) -> None:
    body = b'{"reason":"Unregistered","timestamp":' + timestamp + b"}"

    assert answered(410, body) == Gone("unregistered", at_ms)


def test_a_verdict_without_a_moment_stays_a_verdict() -> None:
    assert answered(410, b'{"reason":"ExpiredToken"}') == Gone("expired_token", None)


def test_retry_after_is_honoured_though_apple_does_not_document_it() -> None:
    outcome = answered(429, b'{"reason":"TooManyRequests"}', retry_after="7")

    assert outcome == Retry("too_many_requests", Scope.DEVICE, 7.0)


def test_operators_read_what_is_wrong_and_what_to_do() -> None:
    outcome = answered(403, b'{"reason":"InvalidProviderToken"}')

    assert outcome == Paused(
        "invalid_provider_token",
        "Apple refuses the signing key (InvalidProviderToken): check key id, team id and .p8 file.",
    )


def test_only_faults_of_the_credential_outlive_a_new_connection() -> None:
    expired = refused_again("expired_provider_token")

    assert expired is not None
    assert "clock" in expired.words
    assert refused_again("unrelated_key_id_in_token") is not None
    assert refused_again("shutdown") is None


@given(status=st.integers(100, 599), body=st.binary(max_size=80))
def test_no_answer_makes_it_fail(status: int, body: bytes) -> None:
    outcome = answered(status, body)

    assert isinstance(outcome, Accepted) == (status == 200 and not isinstance(outcome, Unknown))
    assert isinstance(outcome, Gone) == (status == 410)
