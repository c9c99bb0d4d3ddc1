"""Error bodies of FCM HTTP v1: the google.rpc.Status envelope and the details seen beside it."""

from dataclasses import dataclass
from typing import Any

from delivery.sandbox.answer import Answer, json_answer
from delivery.sandbox.reasons import REASONS

Detail = dict[str, Any]

_TYPE = "type.googleapis.com/"
UNAUTHENTICATED_TEXT = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, "
    "login cookie or other valid authentication credential."
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal by FCM: HTTP status, canonical status, message and details."""

    status: int
    canonical: str
    message: str
    details: tuple[Detail, ...] = ()

    def label(self) -> str:
        """Name the fault by its FCM code, else its ErrorInfo reason, else its status."""
        for key in ("errorCode", "reason"):
            for detail in self.details:
                if key in detail and not detail["@type"].endswith("ApnsError"):
                    return str(detail[key])
        return self.canonical

    def answer(self) -> Answer:
        """Put the fault into its envelope."""
        error: dict[str, Any] = {
            "code": self.status,
            "message": self.message,
            "status": self.canonical,
        }
        if self.details:
            error["details"] = list(self.details)
        return json_answer(self.status, self.label(), {"error": error})


def fcm_error(code: str) -> Detail:
    """Build the FcmError detail."""
    return {"@type": _TYPE + "google.firebase.fcm.v1.FcmError", "errorCode": code}


def apns_error(reason: str) -> Detail:
    """Build the ApnsError detail, which stands beside FcmError when APNs refused an iOS target."""
    return {
        "@type": _TYPE + "google.firebase.fcm.v1.ApnsError",
        "statusCode": REASONS[reason],
        "reason": reason,
    }


def error_info(reason: str, **metadata: str) -> Detail:
    """Build the ErrorInfo detail of the API front end."""
    return {
        "@type": _TYPE + "google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "fcm.googleapis.com", **metadata},
    }


def bad_request(*violations: tuple[str, str]) -> Detail:
    """Build the BadRequest detail from pairs of field path and description."""
    fields = [{"field": field, "description": text} for field, text in violations]
    return {"@type": _TYPE + "google.rpc.BadRequest", "fieldViolations": fields}


def quota_failure(subject: str, description: str) -> Detail:
    """Build the QuotaFailure detail that tells a device quota from a project quota."""
    violation = {"subject": subject, "description": description}
    return {"@type": _TYPE + "google.rpc.QuotaFailure", "violations": [violation]}


def help_link(description: str, url: str) -> Detail:
    """Build the Help detail."""
    return {"@type": _TYPE + "google.rpc.Help", "links": [{"description": description, "url": url}]}


def invalid_argument(message: str, *violations: tuple[str, str]) -> Fault:
    """Refuse a message that is well-formed JSON of the right shape but breaks a rule."""
    details = [fcm_error("INVALID_ARGUMENT")]
    if violations:
        details.append(bad_request(*violations))
    return Fault(400, "INVALID_ARGUMENT", message, tuple(details))


def malformed(violations: list[tuple[str, str]]) -> Fault:
    """Refuse a body of the wrong shape: the JSON reader answers, so there is no FcmError."""
    message = "\n".join(text for _, text in violations)
    return Fault(400, "INVALID_ARGUMENT", message, (bad_request(*violations),))


def refused_by_apns(reason: str) -> Fault:
    """Tell how FCM reports an APNs reason for an iOS target."""
    status, detail = REASONS[reason], apns_error(reason)
    code, http, canonical, message = _BY_APNS_STATUS.get(status, _BY_APNS_STATUS[400])
    return Fault(http, canonical, message, (fcm_error(code), detail))


_BY_APNS_STATUS: dict[int, tuple[str, int, str, str]] = {
    400: ("INVALID_ARGUMENT", 400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    403: (
        "THIRD_PARTY_AUTH_ERROR",
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
    ),
    410: ("UNREGISTERED", 404, "NOT_FOUND", "Requested entity was not found."),
    429: ("QUOTA_EXCEEDED", 429, "RESOURCE_EXHAUSTED", "Device message rate exceeded."),
    500: ("INTERNAL", 500, "INTERNAL", "Internal error encountered."),
    503: ("UNAVAILABLE", 503, "UNAVAILABLE", "The service is currently unavailable."),
}
