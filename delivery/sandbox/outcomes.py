"""The table of outcomes that a token's text can choose; docs/reference/sandbox.md prints it."""

from dataclasses import dataclass

from delivery.sandbox.fcm_errors import (
    UNAUTHENTICATED_TEXT,
    Fault,
    apns_error,
    error_info,
    fcm_error,
    help_link,
    quota_failure,
    refused_by_apns,
)
from delivery.sandbox.reasons import REASONS, outcome_name


@dataclass(frozen=True, slots=True)
class Outcome:
    """What both gateways do with a token that names this outcome.

    ``reason`` is the APNs answer and ``fault`` the FCM answer; an outcome without one of them
    cannot be minted for that gateway unless it is accepted there (``accepts``).
    """

    name: str
    code: int
    reason: str = ""
    fault: Fault | None = None
    accepts: bool = False
    once: bool = False
    retry_after: str = ""
    slow: bool = False
    hangs: bool = False
    raw: bytes | None = None
    raw_status: int = 0
    timestamp: str = "now"

    def fits(self, provider: str) -> bool:
        """Tell whether a token of this provider can name the outcome."""
        if self.accepts or self.hangs or self.raw is not None:
            return True
        return bool(self.reason) if provider == "apns" else self.fault is not None


_GONE = Fault(404, "NOT_FOUND", "Requested entity was not found.", (fcm_error("UNREGISTERED"),))
_BAD_TOKEN = Fault(
    400,
    "INVALID_ARGUMENT",
    "The registration token is not a valid FCM registration token",
    (fcm_error("INVALID_ARGUMENT"),),
)
_INTERNAL = Fault(500, "INTERNAL", "Internal error encountered.", (fcm_error("INTERNAL"),))
_UNAVAILABLE = Fault(
    503, "UNAVAILABLE", "The service is currently unavailable.", (fcm_error("UNAVAILABLE"),)
)
_QUOTA = Fault(
    429,
    "RESOURCE_EXHAUSTED",
    "Message rate exceeded for the project.",
    (fcm_error("QUOTA_EXCEEDED"), quota_failure("project", "Message rate exceeded")),
)
_DEVICE_QUOTA = Fault(
    429,
    "RESOURCE_EXHAUSTED",
    "Message rate exceeded for this device.",
    (fcm_error("QUOTA_EXCEEDED"), quota_failure("device", "Device rate exceeded")),
)
_RATE_LIMIT = Fault(
    429,
    "RESOURCE_EXHAUSTED",
    "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute' "
    "of service 'fcm.googleapis.com' for consumer 'project_number:1'.",
    (
        error_info(
            "RATE_LIMIT_EXCEEDED",
            consumer="projects/1",
            quota_metric="fcm.googleapis.com/send_requests",
            quota_limit="SendsPerMinutePerProject",
            quota_unit="1/min/{project}",
            quota_location="global",
            quota_limit_value="600000",
        ),
        help_link("Request a higher quota limit.", "https://cloud.google.com/docs/quotas"),
    ),
)

_SHARED: tuple[Outcome, ...] = (
    Outcome("accepted", 0x00, accepts=True),
    Outcome("slow", 0x01, accepts=True, slow=True),
    Outcome("hang", 0x02, hangs=True),
    Outcome("accepted_unanswered", 0x03, accepts=True, hangs=True),
    Outcome(
        "throttled_once", 0x04, "TooManyRequests", _DEVICE_QUOTA, once=True, retry_after="seconds"
    ),
    Outcome(
        "throttled_once_date", 0x05, "TooManyRequests", _DEVICE_QUOTA, once=True, retry_after="date"
    ),
    Outcome("throttled_once_bare", 0x06, "TooManyRequests", _DEVICE_QUOTA, once=True),
    Outcome("throttled", 0x07, "TooManyRequests", _DEVICE_QUOTA, retry_after="seconds"),
    Outcome("server_error_once", 0x08, "InternalServerError", _INTERNAL, once=True),
    Outcome("server_error", 0x09, "InternalServerError", _INTERNAL),
    Outcome("unavailable_once", 0x0A, "ServiceUnavailable", _UNAVAILABLE, once=True),
    Outcome("unavailable", 0x0B, "ServiceUnavailable", _UNAVAILABLE),
    Outcome(
        "unavailable_once_later",
        0x0C,
        "ServiceUnavailable",
        _UNAVAILABLE,
        once=True,
        retry_after="seconds",
    ),
    Outcome("bad_gateway", 0x0D, raw_status=502, raw=b"<html><h1>502 Bad Gateway</h1></html>"),
    Outcome("bad_gateway_once", 0x0E, raw_status=502, raw=b"<html>502</html>", once=True),
    Outcome("gateway_timeout", 0x0F, raw_status=504, raw=b""),
    Outcome("empty_error", 0x10, raw_status=500, raw=b""),
    Outcome("empty_refusal", 0x11, raw_status=400, raw=b""),
    Outcome("not_json_refusal", 0x12, raw_status=400, raw=b"Bad Request"),
    Outcome("unknown_reason", 0x13, raw_status=400, raw=b'{"reason":"NeverSeenBefore","x":1}'),
    Outcome("not_json_success", 0x14, raw_status=200, raw=b"OK"),
    Outcome("gone", 0x15, "Unregistered", _GONE),
    Outcome("gone_before", 0x16, "Unregistered", _GONE, timestamp="past"),
    Outcome("gone_undated", 0x17, "Unregistered", _GONE, timestamp="absent"),
    Outcome("malformed", 0x18, "BadDeviceToken", _BAD_TOKEN),
)

_APNS: tuple[Outcome, ...] = tuple(
    Outcome(outcome_name(reason), 0x40 + index, reason, refused_by_apns(reason))
    for index, reason in enumerate(REASONS)
)

_FCM: tuple[Outcome, ...] = (
    Outcome(
        "not_registered",
        0x80,
        fault=Fault(404, "NOT_FOUND", "NotRegistered", (fcm_error("UNREGISTERED"),)),
    ),
    Outcome(
        "ios_token_disabled",
        0x81,
        fault=Fault(
            400,
            "INVALID_ARGUMENT",
            "APNs device token is disabled.",
            (fcm_error("INVALID_ARGUMENT"), apns_error("Unregistered")),
        ),
    ),
    Outcome("invalid_argument", 0x82, fault=_BAD_TOKEN),
    Outcome(
        "invalid_argument_generic",
        0x83,
        fault=Fault(
            400,
            "INVALID_ARGUMENT",
            "Request contains an invalid argument.",
            (fcm_error("INVALID_ARGUMENT"),),
        ),
    ),
    Outcome(
        "sender_id_mismatch",
        0x84,
        fault=Fault(
            403, "PERMISSION_DENIED", "SenderId mismatch", (fcm_error("SENDER_ID_MISMATCH"),)
        ),
    ),
    Outcome("quota_exceeded", 0x85, fault=_QUOTA, retry_after="seconds"),
    Outcome("quota_exceeded_date", 0x86, fault=_QUOTA, retry_after="date"),
    Outcome("quota_exceeded_bare", 0x87, fault=_QUOTA),
    Outcome(
        "quota_exceeded_device",
        0x88,
        fault=_DEVICE_QUOTA,
    ),
    Outcome("rate_limit_exceeded", 0x89, fault=_RATE_LIMIT, retry_after="seconds"),
    Outcome("rate_limit_exceeded_bare", 0x8A, fault=_RATE_LIMIT),
    Outcome("unavailable_later", 0x8B, fault=_UNAVAILABLE, retry_after="seconds"),
    Outcome("internal", 0x8C, fault=_INTERNAL),
    Outcome(
        "unspecified_error",
        0x8D,
        fault=Fault(
            500, "UNKNOWN", "Unknown error encountered.", (fcm_error("UNSPECIFIED_ERROR"),)
        ),
    ),
    Outcome("third_party_auth_error", 0x8E, fault=refused_by_apns("InvalidProviderToken")),
    Outcome(
        "third_party_auth_error_generic",
        0x8F,
        fault=Fault(
            401,
            "UNAUTHENTICATED",
            UNAUTHENTICATED_TEXT,
            (fcm_error("THIRD_PARTY_AUTH_ERROR"), apns_error("BadEnvironmentKeyInToken")),
        ),
    ),
    Outcome("unauthenticated", 0x90, fault=Fault(401, "UNAUTHENTICATED", UNAUTHENTICATED_TEXT)),
    Outcome(
        "iam_permission_denied",
        0x91,
        fault=Fault(
            403,
            "PERMISSION_DENIED",
            "Permission 'cloudmessaging.messages.create' denied on the project.",
            (error_info("IAM_PERMISSION_DENIED", permission="cloudmessaging.messages.create"),),
        ),
    ),
    Outcome(
        "service_disabled",
        0x92,
        fault=Fault(
            403,
            "PERMISSION_DENIED",
            "Firebase Cloud Messaging API has not been used in this project before or it is "
            "disabled.",
            (error_info("SERVICE_DISABLED", consumer="projects/1"),),
        ),
    ),
    Outcome(
        "project_not_found",
        0x93,
        fault=Fault(404, "NOT_FOUND", "Requested entity was not found."),
    ),
)

OUTCOMES: dict[str, Outcome] = {one.name: one for one in (*_SHARED, *_APNS, *_FCM)}
BY_CODE: dict[int, Outcome] = {one.code: one for one in OUTCOMES.values()}
