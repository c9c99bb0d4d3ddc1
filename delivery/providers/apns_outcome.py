"""From an APNs answer to an outcome: one table, pure.

https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from delivery.outcome import Accepted, Gone, Outcome, Paused, Rejected, Retry, Scope, Unknown
from delivery.providers.undelivered import retry_after
from delivery.transport import Answer


def _reason_name(reason: str) -> str:
    """Spell a reason of Apple's as ours are spelled: BadTopic becomes bad_topic."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", reason).lower()


def _rejected(reason: str, words: str, *, suspect: bool = False) -> tuple[str, Outcome]:
    return reason, Rejected(_reason_name(reason), f"{words} ({reason}).", suspect)


def _paused(reason: str, fault: str, cure: str) -> tuple[str, Outcome]:
    return reason, Paused(_reason_name(reason), f"{fault} ({reason}): {cure}")


def _retry(reason: str, scope: Scope) -> tuple[str, Outcome]:
    return reason, Retry(_reason_name(reason), scope)


# The year 5138: what lies beyond is no time in milliseconds.
_LATEST_MS = 10**14

_CHECK_TOPIC = "check that the bundle id of the credential is the app's and that the key covers it."
_CHECK_KEY = "check key id, team id and .p8 file."
_CHECK_ENVIRONMENT = "check whether the credential is for production or development."

_OUTCOMES: dict[str, Outcome] = dict(
    [
        _rejected("BadCollapseId", "Apple refuses the collapse id"),
        # No verdict about registration: the environment may be the wrong one.
        _rejected("BadDeviceToken", "Apple does not know this token here", suspect=True),
        _rejected("BadExpirationDate", "Apple refuses the expiration date"),
        _rejected("BadMessageId", "Apple refuses the message id"),
        _rejected("BadPriority", "Apple refuses the priority"),
        _paused("BadTopic", "Apple refuses the topic", _CHECK_TOPIC),
        _rejected("DeviceTokenNotForTopic", "The token belongs to another app", suspect=True),
        _rejected("DuplicateHeaders", "A header was sent twice"),
        _retry("IdleTimeout", Scope.CONNECTION),
        _rejected("InvalidPushType", "Apple refuses the push type"),
        _rejected("MissingDeviceToken", "The request named no token"),
        _paused("MissingTopic", "Apple wants a topic", "give the credential its bundle id."),
        _rejected("PayloadEmpty", "The request had no payload"),
        _paused("TopicDisallowed", "Apple does not allow this topic", _CHECK_TOPIC),
        _paused(
            "BadCertificate",
            "Apple refuses the certificate",
            "check that it is a push certificate, not expired and not revoked.",
        ),
        _paused(
            "BadCertificateEnvironment",
            "The certificate is for the other environment",
            _CHECK_ENVIRONMENT,
        ),
        # Cured by a new connection; a second one means the clock, see refused_again.
        _retry("ExpiredProviderToken", Scope.CONNECTION),
        _paused(
            "Forbidden",
            "Apple forbids this",
            "check that the key or certificate may push to this app.",
        ),
        _paused("InvalidProviderToken", "Apple refuses the signing key", _CHECK_KEY),
        _paused("MissingProviderToken", "Apple got no provider token", _CHECK_KEY),
        _retry("UnrelatedKeyIdInToken", Scope.CONNECTION),
        _paused(
            "BadEnvironmentKeyIdInToken",
            "The signing key is for the other environment",
            _CHECK_ENVIRONMENT,
        ),
        # Seen from the live gateway, without "Id".
        _paused(
            "BadEnvironmentKeyInToken",
            "The signing key is for the other environment",
            _CHECK_ENVIRONMENT,
        ),
        _rejected("BadPath", "Apple does not know this path"),
        _rejected("MethodNotAllowed", "Apple does not allow this method"),
        ("ExpiredToken", Gone("expired_token")),
        ("Unregistered", Gone("unregistered")),
        _rejected("PayloadTooLarge", "The payload is too large"),
        # The rule is per connection: a fresh one may use the present token.
        _retry("TooManyProviderTokenUpdates", Scope.CONNECTION),
        _retry("TooManyRequests", Scope.DEVICE),
        _retry("InternalServerError", Scope.DEVICE),
        _retry("ServiceUnavailable", Scope.DEVICE),
        _retry("Shutdown", Scope.CONNECTION),
    ]
)

# After one of these the connection is of no more use, whatever else becomes of the push.
NEEDS_NEW_CONNECTION = frozenset(
    map(
        _reason_name,
        (
            "IdleTimeout",
            "ExpiredProviderToken",
            "UnrelatedKeyIdInToken",
            "TooManyProviderTokenUpdates",
            "Shutdown",
        ),
    )
)
ABOUT_TOPIC = frozenset({"bad_topic", "missing_topic", "topic_disallowed"})

_AGAIN = {
    "expired_provider_token": Paused(
        "expired_provider_token",
        "Apple finds fresh provider tokens expired (ExpiredProviderToken): check this machine's "
        "clock.",
    ),
    "unrelated_key_id_in_token": Paused(
        "unrelated_key_id_in_token",
        "Apple refuses the signing key on a connection of its own (UnrelatedKeyIdInToken): "
        "check which topics the key covers.",
    ),
}


def classify(answer: Answer, now: datetime) -> Outcome:
    """Return what an answer of APNs means for its push."""
    body = _read(answer.body)
    if answer.status == 200:
        # Success has no body; one that is no JSON comes from something else than APNs.
        return Unknown("unreadable_answer") if body is None else Accepted()
    if answer.status in {502, 504}:
        return Unknown(f"apns_{answer.status}")
    body = body or {}
    reason = body.get("reason")
    known = _OUTCOMES.get(reason) if isinstance(reason, str) else None
    outcome = known or _by_status(answer)
    if isinstance(outcome, Gone):
        return replace(outcome, at_ms=_timestamp(body))
    if isinstance(outcome, Retry):
        return replace(outcome, after_seconds=retry_after(answer.headers, now))
    return outcome


def connection_fault(debug: bytes) -> Paused | None:
    """Return the fault of a credential that a GOAWAY names, if it names one."""
    reason = (_read(debug) or {}).get("reason")
    outcome = _OUTCOMES.get(reason) if isinstance(reason, str) else None
    return outcome if isinstance(outcome, Paused) else None


def refused_again(reason: str) -> Paused | None:
    """Return the fault that remains when a new connection did not cure `reason`, if it is one."""
    return _AGAIN.get(reason)


def _by_status(answer: Answer) -> Outcome:
    status = answer.status
    words = f"Apple answered {status}: {answer.body[:200].decode('utf-8', 'replace')}"
    if status == 410:
        return Gone("unregistered")
    if status in {401, 403} or 300 <= status < 400:
        return Paused(f"apns_{status}", words + ". Check the credential and the gateway's address.")
    if status in {429, 500, 503}:
        return Retry(f"apns_{status}", Scope.DEVICE)
    return Rejected(f"apns_{status}", words) if 400 <= status < 500 else Unknown(f"apns_{status}")


def _read(body: bytes) -> Mapping[str, Any] | None:
    if not body:
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _timestamp(body: Mapping[str, Any]) -> int | None:
    at_ms = body.get("timestamp")
    if isinstance(at_ms, bool) or not isinstance(at_ms, int | float):
        return None
    return int(at_ms) if 0 < at_ms < _LATEST_MS else None
