"""The rules of an FCM v1 message, pure: a request body in; a parsed message or a fault out."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from delivery.sandbox.fcm_errors import Fault, fcm_error, invalid_argument, malformed
from delivery.sandbox.fcm_schema import REQUEST, normal_form, violations

SEND_PATH = re.compile(r"/v1/projects/([^/]+)/messages:send")
_TARGETS = ("fid", "token", "topic", "condition")
_FID = re.compile(r"[cdef][A-Za-z0-9_-]{21}")
_REGISTRATION = re.compile(r"[A-Za-z0-9_-]{11,64}:[A-Za-z0-9_-]{16,4000}")
_TOPIC = re.compile(r"(/topics/)?[a-zA-Z0-9-_.~%]{1,900}")
_LABEL = re.compile(r"[a-zA-Z0-9-_.~%]{1,50}")
_RESERVED = ("from", "message_type", "gcm")
_RESERVED_PREFIXES = ("google", "gcm.notification.")
_TTL_MAX_SECONDS = 2_419_200


@dataclass(frozen=True, slots=True)
class Message:
    """A message that FCM would take: its target and the parts the sandbox looks at."""

    kind: str
    target: str
    data: dict[str, str]
    validate_only: bool
    is_collapsible: bool = False


def read_message(body: bytes) -> Message | Fault:
    """Check a request body whole; shape first, then meaning."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        return malformed([("", "Invalid JSON payload received. Expected an object.")])
    if not isinstance(request, dict):
        return malformed([("", "Invalid JSON payload received. Root element must be a message.")])
    wrong = violations(request, REQUEST)
    if wrong:
        return malformed(wrong)
    request = normal_form(request, REQUEST)
    message: dict[str, Any] = request.get("message") or {}
    fault = _message_fault(message)
    if fault is not None:
        return fault
    kind = next(name for name in _TARGETS if message.get(name))
    android = message.get("android") or message.get("androidV2") or {}
    data = {**message.get("data", {}), **android.get("data", {})}
    collapsible = bool(android.get("collapseKey"))
    return Message(kind, message[kind], data, request.get("validateOnly", False), collapsible)


def _message_fault(message: dict[str, Any]) -> Fault | None:
    for rule in (_target_fault, _android_fault, _label_fault, _data_fault, _size_fault):
        fault = rule(message)
        if fault is not None:
            return fault
    return None


def _target_fault(message: dict[str, Any]) -> Fault | None:
    targets = [name for name in _TARGETS if message.get(name)]
    if not targets:
        return invalid_argument("Recipient of the message is not set.")
    if len(targets) > 1:
        text = "Exactly one of fid, token, topic and condition must be set."
        return invalid_argument(text, ("message", text))
    kind, target = targets[0], message[targets[0]]
    if kind == "fid" and not _FID.fullmatch(target):
        return invalid_argument("The fid is not a valid Firebase installation ID")
    if kind == "token" and not (_REGISTRATION.fullmatch(target) or _FID.fullmatch(target)):
        return invalid_argument("The registration token is not a valid FCM registration token")
    if kind == "topic" and not _TOPIC.fullmatch(target):
        return invalid_argument("Invalid topic name", ("message.topic", "Invalid topic name"))
    return _condition_fault(target) if kind == "condition" else None


def _condition_fault(condition: str) -> Fault | None:
    topics = condition.count(" in topics")
    if 1 <= topics <= 5 and condition.count("(") == condition.count(")"):
        return None
    return invalid_argument("Invalid condition expression provided.")


def _android_fault(message: dict[str, Any]) -> Fault | None:
    if "android" in message and "androidV2" in message:
        return invalid_argument("Only one of android and android_v2 may be set.")
    for name in ("android", "androidV2"):
        ttl = message.get(name, {}).get("ttl")
        field = "message.android.ttl" if name == "android" else "message.android_v2.ttl"
        if ttl is not None and not 0 <= float(ttl[:-1]) <= _TTL_MAX_SECONDS:
            text = f"Invalid ttl: it must be between 0 and {_TTL_MAX_SECONDS} seconds."
            return invalid_argument(text, (field, text))
    return None


def _label_fault(message: dict[str, Any]) -> Fault | None:
    for part in (message, *(message.get(name, {}) for name in ("android", "apns", "webpush"))):
        label = part.get("fcmOptions", {}).get("analyticsLabel")
        if label is not None and not _LABEL.fullmatch(label):
            return invalid_argument("Invalid analytics label")
    return None


def _data_fault(message: dict[str, Any]) -> Fault | None:
    for part, field in ((message, "message"), (message.get("android", {}), "message.android")):
        for key in part.get("data", {}):
            if not key or key in _RESERVED or key.startswith(_RESERVED_PREFIXES):
                text = f"Invalid data payload key: {key}"
                return invalid_argument(text, (f"{field}.data", text))
    return None


def _size_fault(message: dict[str, Any]) -> Fault | None:
    """Count keys and values of data and notification; Google does not document the sum exactly."""
    android = message.get("android") or message.get("androidV2") or {}
    counted = {**message.get("data", {}), **android.get("data", {})}
    size = _text_bytes(counted) + _text_bytes(message.get("notification", {}))
    limit = 2048 if "topic" in message or "condition" in message else 4096
    if size > limit:
        return Fault(400, "INVALID_ARGUMENT", "Message is too big", (_INVALID,))
    payload = message.get("apns", {}).get("payload")
    if payload is not None and len(orjson.dumps(payload)) > 4096:
        return Fault(400, "INVALID_ARGUMENT", "iOS message is too big", (_INVALID,))
    return None


def _text_bytes(values: dict[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in values.items())


_INVALID = fcm_error("INVALID_ARGUMENT")
