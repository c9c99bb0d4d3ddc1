"""Every row of FCM's error table and its traps, written down a second time and by hand."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.outcome import Accepted, Gone, Outcome, Paused, Rejected, Retry, Scope, Unknown
from delivery.providers.fcm_outcome import UNAUTHENTICATED, classify
from delivery.transport import Answer

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TYPE = "type.googleapis.com/"


def fcm(code: str) -> dict[str, Any]:
    return {"@type": TYPE + "google.firebase.fcm.v1.FcmError", "errorCode": code}


def apns(status: int, reason: str) -> dict[str, Any]:
    kind = TYPE + "google.firebase.fcm.v1.ApnsError"
    return {"@type": kind, "statusCode": status, "reason": reason}


def info(reason: str) -> dict[str, Any]:
    return {"@type": TYPE + "google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def quota(subject: str, description: str) -> dict[str, Any]:
    violation = {"subject": subject, "description": description}
    return {"@type": TYPE + "google.rpc.QuotaFailure", "violations": [violation]}


NOT_A_TOKEN = "The registration token is not a valid FCM registration token"
GENERIC_401 = "Request is missing required authentication credential. Expected OAuth 2 access token"

# https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode and bodies seen in the field
ROWS: list[tuple[int, str, list[dict[str, Any]], str]] = [
    (400, "Request contains an invalid argument.", [fcm("INVALID_ARGUMENT")], "rejected"),
    (400, NOT_A_TOKEN, [fcm("INVALID_ARGUMENT")], "suspect"),
    (400, "", [fcm("INVALID_ARGUMENT"), apns(400, "BadDeviceToken")], "suspect"),
    (400, "", [fcm("INVALID_ARGUMENT"), apns(400, "DeviceTokenNotForTopic")], "suspect"),
    (400, "", [fcm("INVALID_ARGUMENT"), apns(413, "PayloadTooLarge")], "rejected"),
    (
        400,
        "APNs device token is disabled.",
        [fcm("INVALID_ARGUMENT"), apns(410, "Unregistered")],
        "gone",
    ),
    (404, "Requested entity was not found.", [fcm("UNREGISTERED")], "gone"),
    (404, "NotRegistered", [fcm("UNREGISTERED"), apns(410, "Unregistered")], "gone"),
    (404, "Requested entity was not found.", [], "paused"),
    (404, "Requested entity was not found.", [fcm("SOMETHING_NEW")], "paused"),
    (403, "SenderId mismatch", [fcm("SENDER_ID_MISMATCH")], "suspect"),
    (403, "denied", [info("IAM_PERMISSION_DENIED")], "paused"),
    (403, "disabled", [info("SERVICE_DISABLED")], "paused"),
    (403, "", [], "paused"),
    (401, GENERIC_401, [], "paused"),
    (401, GENERIC_401, [fcm("THIRD_PARTY_AUTH_ERROR")], "paused ios web"),
    (
        401,
        "Auth error from APNS or Web Push Service",
        [fcm("THIRD_PARTY_AUTH_ERROR"), apns(403, "InvalidProviderToken")],
        "paused ios web",
    ),
    (401, GENERIC_401, [apns(403, "BadEnvironmentKeyInToken")], "paused ios web"),
    (401, "", [fcm("APNS_AUTH_ERROR")], "paused ios web"),
    (429, "Message rate exceeded", [fcm("QUOTA_EXCEEDED")], "retry project 60"),
    (429, "", [fcm("QUOTA_EXCEEDED"), quota("project", "rate")], "retry project 60"),
    (429, "", [fcm("QUOTA_EXCEEDED"), quota("topic", "rate")], "retry project 60"),
    (429, "", [fcm("QUOTA_EXCEEDED"), quota("device", "rate")], "retry device"),
    (429, "", [fcm("QUOTA_EXCEEDED"), quota("x", "Device rate exceeded")], "retry device"),
    (429, "Device message rate exceeded.", [fcm("QUOTA_EXCEEDED")], "retry device"),
    (429, "", [fcm("QUOTA_EXCEEDED"), apns(429, "TooManyRequests")], "retry device"),
    (429, "Quota exceeded for quota metric", [info("RATE_LIMIT_EXCEEDED")], "retry project 60"),
    (429, "", [], "retry project 60"),
    (503, "The service is currently unavailable.", [fcm("UNAVAILABLE")], "retry device"),
    (503, "", [], "retry device"),
    (500, "Internal error encountered.", [fcm("INTERNAL")], "retry device"),
    (500, "Unknown error", [fcm("UNSPECIFIED_ERROR")], "retry device"),
    (500, "", [], "retry device"),
    (502, "", [fcm("INTERNAL")], "unknown"),
    (504, "", [fcm("UNAVAILABLE")], "unknown"),
    (501, "", [], "unknown"),
    (405, "", [], "rejected"),
    (413, "", [], "rejected"),
    (302, "", [], "paused"),
]


def in_short(outcome: Outcome) -> str:
    """Spell an outcome as the table does."""
    match outcome:
        case Rejected(suspect=True):
            return "suspect"
        case Retry(scope=scope, after_seconds=None):
            return f"retry {scope.value}"
        case Retry(scope=scope, after_seconds=float(seconds)):
            return f"retry {scope.value} {seconds:g}"
        case Paused(platforms=platforms):
            return " ".join(("paused", *platforms))
        case _:
            return type(outcome).__name__.lower()


def answered(status: int, message: str, details: list[Any], **headers: str) -> Outcome:
    error = {"code": status, "message": message, "status": "X", "details": details}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(Answer(status, named, orjson.dumps({"error": error})), NOW)


@pytest.mark.parametrize(("status", "message", "details", "expected"), ROWS)
def test_each_error_has_its_outcome(
    status: int, message: str, details: list[dict[str, Any]], expected: str
) -> None:
    assert in_short(answered(status, message, details)) == expected


def test_success_gives_the_name() -> None:
    answer = Answer(200, {}, b'{"name":"projects/p/messages/0:1"}')

    assert classify(answer, NOW) == Accepted("projects/p/messages/0:1")


@pytest.mark.parametrize("body", [b"", b"OK", b"{}", b"[]", b'{"name":7}', b'{"name":""}'])
def test_success_without_a_name_is_in_doubt(body: bytes) -> None:
    assert classify(Answer(200, {}, body), NOW) == Unknown("unreadable_answer")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        ("Sun, 22 Nov 2026 12:01:40 GMT", 100.0),
        ("soon", 60.0),
        # A time that has passed leaves time for what is on its way.
        ("0", 1.0),
        ("Sat, 21 Nov 2026 12:00:00 GMT", 1.0),
    ],
)
def test_the_project_waits_as_long_as_it_is_told(header: str, seconds: float) -> None:
    outcome = answered(429, "", [fcm("QUOTA_EXCEEDED")], retry_after=header)

    assert outcome == Retry("quota_exceeded", Scope.PROJECT, seconds)


def test_a_device_quota_never_holds_up_the_project() -> None:
    details = [fcm("QUOTA_EXCEEDED"), quota("device", "rate")]

    outcome = answered(429, "", details, retry_after="20")

    assert outcome == Retry("device_quota_exceeded", Scope.DEVICE, 20.0)


def test_an_overload_that_names_a_time_holds_up_the_project() -> None:
    outcome = answered(503, "", [fcm("UNAVAILABLE")], retry_after="30")

    assert outcome == Retry("unavailable", Scope.PROJECT, 30.0)


def test_an_anonymous_401_is_told_apart_for_the_provider_to_renew_its_token() -> None:
    outcome = answered(401, GENERIC_401, [])

    assert isinstance(outcome, Paused)
    assert outcome.reason == UNAUTHENTICATED


def test_field_violations_reach_the_reader() -> None:
    violation = {"field": "message.data[0].value", "description": "Invalid value"}
    detail = {"@type": TYPE + "google.rpc.BadRequest", "fieldViolations": [violation]}

    outcome = answered(400, "Bad.", [fcm("INVALID_ARGUMENT"), detail])

    assert outcome == Rejected("invalid_argument", "Bad. message.data[0].value: Invalid value")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b'{"error":"x"}',
        b'{"error":{"details":{}}}',
        b'{"error":{"details":[1,{"@type":3},{"@type":"x.rpc.QuotaFailure","violations":[0]}]}}',
    ],
)
@pytest.mark.parametrize(
    ("status", "expected"), [(400, "rejected"), (403, "paused"), (404, "paused"), (502, "unknown")]
)
def test_an_unreadable_body_is_judged_by_its_status(
    status: int, expected: str, body: bytes
) -> None:
    assert in_short(classify(Answer(status, {}, body), NOW)) == expected


@given(status=st.integers(100, 599), body=st.binary(max_size=80))
def test_no_answer_makes_it_fail_or_end_a_registration_by_chance(status: int, body: bytes) -> None:
    outcome = classify(Answer(status, {}, body), NOW)

    assert not isinstance(outcome, Accepted | Gone)
