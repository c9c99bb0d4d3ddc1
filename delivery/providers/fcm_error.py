"""The error body of FCM v1, read defensively; pure.

https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
"""

from dataclasses import dataclass
from typing import Any

import orjson

from delivery.transport import Answer


@dataclass(frozen=True, slots=True)
class FcmError:
    """What an error body says; empty where it is silent or unreadable.

    `code` is the FCM code, `info` the reason of the API front end, `apns_status` and `apns_reason`
    what Apple answered to FCM, `violations` the words of field and quota violations.
    """

    message: str = ""
    code: str = ""
    info: str = ""
    apns_status: int = 0
    apns_reason: str = ""
    quota: str = ""
    violations: str = ""

    def words(self) -> str:
        """Return what FCM says, for people."""
        parts = (self.message, self.violations, self.apns_reason)
        return " ".join(part for part in parts if part)[:500]


def read_error(answer: Answer) -> FcmError:
    """Read the body of an answer that is no success; whatever it is, never raises."""
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return FcmError(message=answer.body[:200].decode("utf-8", "replace"))
    error = _object(_object(body).get("error"))
    details = [_object(one) for one in _list(error.get("details"))]
    apns = _detail(details, "fcm.v1.ApnsError")
    quota = _entries(_detail(details, "rpc.QuotaFailure"), "violations", "subject")
    fields = _entries(_detail(details, "rpc.BadRequest"), "fieldViolations", "field")
    return FcmError(
        message=_text(error.get("message")),
        code=_text(_detail(details, "fcm.v1.FcmError").get("errorCode")),
        info=_text(_detail(details, "rpc.ErrorInfo").get("reason")),
        apns_status=_number(apns.get("statusCode")),
        apns_reason=_text(apns.get("reason")),
        quota=quota,
        violations=" ".join(part for part in (fields, quota) if part),
    )


def _detail(details: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next((one for one in details if _text(one.get("@type")).endswith(kind)), {})


def _entries(detail: dict[str, Any], key: str, name: str) -> str:
    entries = [_object(one) for one in _list(detail.get(key))]
    return "; ".join(f"{_text(one.get(name))}: {_text(one.get('description'))}" for one in entries)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
