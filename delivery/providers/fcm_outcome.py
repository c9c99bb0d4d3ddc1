"""From an FCM v1 answer to an outcome: one table, pure.

https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
https://firebase.google.com/docs/cloud-messaging/scale-fcm (Retry-After, absent: 60 s)
"""

from collections.abc import Callable
from datetime import datetime

import orjson

from delivery.outcome import (
    QUOTA_EXCEEDED,
    Accepted,
    Gone,
    Outcome,
    Paused,
    Rejected,
    Retry,
    Scope,
    Unknown,
)
from delivery.providers.fcm_error import FcmError, read_error
from delivery.providers.undelivered import retry_after
from delivery.transport import Answer

UNAUTHENTICATED = "unauthenticated"
QUOTA_FREEZE_SECONDS = 60.0
# A date that has passed by the gateway's clock, or 0, is no freeze at all: each refusal that is on
# its way already would count as a new one and lower the rate again.
_LEAST_FREEZE_SECONDS = 1.0
_TOKEN_REASONS = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic"})

# The error, the status and Retry-After in seconds.
_Rule = Callable[[FcmError, int, float | None], Outcome]


def classify(answer: Answer, now: datetime) -> Outcome:
    """Return what an answer of FCM means for its push.

    A 401 that names no FCM code is `Paused(UNAUTHENTICATED)`: the access token may merely have
    been withdrawn, so the provider renews it once before it believes that.
    """
    status = answer.status
    if 200 <= status < 300:
        return _accepted(answer)
    if status in {502, 504}:
        return Unknown(f"fcm_{status}")
    error = read_error(answer)
    if error.apns_status == 410 and status in {400, 404}:
        # A dead iOS registration comes under either status.
        return Gone("unregistered")
    rule = _BY_CODE.get(error.code) or _BY_STATUS.get(status) or _other
    return rule(error, status, retry_after(answer.headers, now))


def _accepted(answer: Answer) -> Outcome:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return Unknown("unreadable_answer")
    name = body.get("name") if isinstance(body, dict) else None
    return Accepted(name) if isinstance(name, str) and name else Unknown("unreadable_answer")


def _invalid_argument(error: FcmError, _status: int, _after: float | None) -> Outcome:
    words = error.words() or "FCM refuses the message as invalid."
    if error.apns_reason in _TOKEN_REASONS:
        return Rejected("invalid_token", words, suspect=True)
    message = error.message.lower()
    if "registration token" in message or "installation id" in message:
        return Rejected("invalid_token", words, suspect=True)
    return Rejected("invalid_argument", words)


def _unregistered(_error: FcmError, _status: int, _after: float | None) -> Outcome:
    return Gone("unregistered")


def _sender_id_mismatch(error: FcmError, _status: int, _after: float | None) -> Outcome:
    words = f"The token belongs to another Firebase project: {error.words()}"
    return Rejected("sender_id_mismatch", words, suspect=True)


def _quota(error: FcmError, _status: int, after: float | None) -> Outcome:
    told = error.quota or error.message
    if error.apns_status == 429 or "device" in told.lower():
        return Retry("device_quota_exceeded", Scope.DEVICE, after)
    freeze = QUOTA_FREEZE_SECONDS if after is None else max(after, _LEAST_FREEZE_SECONDS)
    return Retry(QUOTA_EXCEEDED, Scope.PROJECT, freeze)


def _unavailable(_error: FcmError, _status: int, after: float | None) -> Outcome:
    # Only an explicit wish holds the others back; a single 503 concerns its push.
    return Retry("unavailable", Scope.DEVICE if after is None else Scope.PROJECT, after)


def _internal(_error: FcmError, _status: int, after: float | None) -> Outcome:
    return Retry("internal", Scope.DEVICE, after)


def _third_party(error: FcmError, _status: int, _after: float | None) -> Outcome:
    return Paused(
        "third_party_auth_error",
        f"Apple or the web push service refuses the project's key ({error.words()}): check the "
        "APNs key or certificate, or the web push key, in the Firebase console.",
        platforms=("ios", "web"),
    )


def _unauthenticated(error: FcmError, status: int, after: float | None) -> Outcome:
    if error.apns_reason:
        return _third_party(error, status, after)
    return Paused(
        UNAUTHENTICATED,
        "FCM refuses the access token (401 UNAUTHENTICATED): check the service account and this "
        "machine's clock.",
    )


def _forbidden(error: FcmError, _status: int, _after: float | None) -> Outcome:
    reason = error.info.lower() or "permission_denied"
    return Paused(
        reason,
        f"FCM denies the service account ({reason.upper()}): enable the Firebase Cloud Messaging "
        f"API and grant the role that may send messages. {error.words()}".rstrip(),
    )


def _not_found(error: FcmError, _status: int, _after: float | None) -> Outcome:
    return Paused(
        "project_not_found",
        "FCM does not know the project (404 without an FCM code): check the project id and the "
        f"gateway's address. {error.words()}".rstrip(),
    )


def _other(error: FcmError, status: int, _after: float | None) -> Outcome:
    reason = f"fcm_{status}"
    if 300 <= status < 400:
        return Paused(reason, f"FCM's address answers {status}: check the gateway's address.")
    if 400 <= status < 500:
        return Rejected(reason, error.words() or f"FCM answered {status}.")
    return Unknown(reason)


_BY_CODE: dict[str, _Rule] = {
    "INVALID_ARGUMENT": _invalid_argument,
    "UNREGISTERED": _unregistered,
    "SENDER_ID_MISMATCH": _sender_id_mismatch,
    "QUOTA_EXCEEDED": _quota,
    "UNAVAILABLE": _unavailable,
    "INTERNAL": _internal,
    "THIRD_PARTY_AUTH_ERROR": _third_party,
    "APNS_AUTH_ERROR": _third_party,
}
# For answers without a code, with UNSPECIFIED_ERROR or with one we do not know.
_BY_STATUS: dict[int, _Rule] = {
    400: _invalid_argument,
    401: _unauthenticated,
    403: _forbidden,
    404: _not_found,
    429: _quota,
    500: _internal,
    503: _unavailable,
}
