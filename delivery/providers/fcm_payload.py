"""From a push to an FCM v1 message; pure.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from delivery.providers.apns_payload import aps
from delivery.providers.content import (
    APNS_COLLAPSE_ID_LIMIT_BYTES,
    APNS_LIMIT_BYTES,
    FCM_LIMIT_BYTES,
    custom_data,
    is_silent,
    to_json,
    too_large,
)
from delivery.providers.mould import Mould, Traits, make_mould, marked, traits
from delivery.push import Encoded, Notification, Push, Unsendable

TTL_LIMIT_SECONDS = 2_419_200

_KINDS = frozenset({"token", "fid"})
_HEADERS = (("content-type", "application/json"),)


def encode(push: Push, project_id: str, now: datetime) -> Encoded | Unsendable:
    """Build the request for one registration token or installation id."""
    mould = _mould(
        push.notification,
        traits(push),
        (push.kind, push.platform),
        (push.expires_at, push.collapse_id, push.priority, _seconds_left(push, now)),
    )
    body = mould.cast(push) if mould is not None else None
    # FCM counts no more than is in the body, so what fits as a whole needs no counting.
    if body is not None and len(body) <= FCM_LIMIT_BYTES:
        return Encoded(push, _path(project_id), _HEADERS, (), body)
    return encode_alone(push, project_id, now)


def encode_alone(push: Push, project_id: str, now: datetime) -> Encoded | Unsendable:
    """Do as `encode` does, for this push alone: slower, and it says what can not be sent."""
    if push.kind not in _KINDS:
        return Unsendable("render_error", f"FCM knows no target of kind {push.kind!r}.")
    push = replace(push, notification=push.notification.filled(push.texts), texts=())
    message = _message(push, _seconds_left(push, now))
    if isinstance(message, Unsendable):
        return message
    body = to_json({"message": message})
    if isinstance(body, Unsendable):
        return body
    refusal = _over_limit(message)
    if refusal is not None:
        return refusal
    return Encoded(push, _path(project_id), _HEADERS, (), body)


# Each window of a message brings the same arguments for a second: texts alone differ between its
# recipients.
@lru_cache(maxsize=256)
def _mould(
    notification: Notification,
    found: Traits | None,
    target: tuple[str, str],
    delivery: tuple[datetime, str | None, str, int],
) -> Mould | None:
    kind, platform = target
    expires_at, collapse_id, priority, seconds_left = delivery
    push = Push("", "", "", kind, platform, None, notification, expires_at, collapse_id, priority)
    message = _message(marked(push, found), seconds_left)
    if kind not in _KINDS or isinstance(message, Unsendable) or _over_collapse_limit(message):
        # It takes the recipient's own push to say why.
        return None
    body = to_json({"message": message})
    return None if isinstance(body, Unsendable) else make_mould(body)


def _path(project_id: str) -> str:
    return f"/v1/projects/{project_id}/messages:send"


def payload_bytes(message: dict[str, Any]) -> int:
    """Return what FCM counts: the UTF-8 bytes of keys and values of data and notification."""
    return sum(
        len(key.encode()) + len(value.encode())
        for part in (message.get("data", {}), message.get("notification", {}))
        for key, value in part.items()
    )


def push_bytes(push: Push, now: datetime) -> int | Unsendable:
    """Return what FCM counts against its limit of the message built for a push."""
    message = _message(push, _seconds_left(push, now))
    if isinstance(message, Unsendable):
        return message
    body = to_json(message)
    return body if isinstance(body, Unsendable) else payload_bytes(message)


def _over_limit(message: dict[str, Any]) -> Unsendable | None:
    size = payload_bytes(message)
    if size > FCM_LIMIT_BYTES:
        return too_large("The FCM payload", size, FCM_LIMIT_BYTES)
    if "apns" not in message:
        return None
    # FCM hands the custom data on beside aps, and APNs counts it all.
    inner = to_json(message["apns"]["payload"] | message["data"])
    if isinstance(inner, bytes) and len(inner) > APNS_LIMIT_BYTES:
        return too_large("The iOS payload", len(inner), APNS_LIMIT_BYTES)
    return _over_collapse_limit(message)


def _over_collapse_limit(message: dict[str, Any]) -> Unsendable | None:
    collapse_id = message.get("apns", {}).get("headers", {}).get("apns-collapse-id", "")
    size = len(collapse_id.encode("utf-8", "surrogatepass"))
    if size > APNS_COLLAPSE_ID_LIMIT_BYTES:
        return too_large("The collapse id", size, APNS_COLLAPSE_ID_LIMIT_BYTES)
    return None


def _message(push: Push, seconds_left: int) -> dict[str, Any] | Unsendable:
    data = custom_data(push)
    if isinstance(data, Unsendable):
        return data
    message: dict[str, Any] = {push.kind: push.token, "data": data}
    shown = None if is_silent(push.notification) else _shown(push.notification)
    if shown:
        message["notification"] = shown
    if push.platform == "ios":
        message["apns"] = _apns(push)
    elif push.platform == "web":
        message["webpush"] = _webpush(push, seconds_left)
    else:
        message["android"] = _android(push, seconds_left)
    return message


def _shown(notification: Notification) -> dict[str, str]:
    parts = {
        "title": notification.title,
        "body": notification.body,
        "image": notification.image,
    }
    return {name: text for name, text in parts.items() if text}


def _tag(push: Push) -> str:
    # A re-send carries the same tag, so it replaces the first on the screen.
    return push.collapse_id or push.id


def _seconds_left(push: Push, now: datetime) -> int:
    left = push.expires_at - now
    return max(0, min(TTL_LIMIT_SECONDS, left.days * 86_400 + left.seconds))


def _android(push: Push, seconds_left: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "priority": "HIGH" if push.priority == "high" else "NORMAL",
        "ttl": f"{seconds_left}s",
    }
    if push.collapse_id:
        # Only on request: FCM holds collapsible messages back after a burst of 20 per device.
        found["collapse_key"] = push.collapse_id
    notification = push.notification
    if not is_silent(notification):
        inner: dict[str, Any] = {"tag": _tag(push)}
        if notification.sound:
            inner["sound"] = notification.sound
        if notification.badge is not None:
            inner["notification_count"] = notification.badge
        found["notification"] = inner | dict(notification.extra)
    return found


def _apns(push: Push) -> dict[str, Any]:
    silent = is_silent(push.notification)
    headers = {
        "apns-push-type": "background" if silent else "alert",
        # Data-only messages to iOS must have priority 5.
        "apns-priority": "10" if push.priority == "high" and not silent else "5",
        "apns-expiration": str(int(push.expires_at.timestamp())),
    }
    if push.collapse_id or not silent:
        headers["apns-collapse-id"] = _tag(push)
    found: dict[str, Any] = {"headers": headers, "payload": {"aps": aps(push.notification)}}
    if push.notification.image and not silent:
        found["fcm_options"] = {"image": push.notification.image}
    return found


def _webpush(push: Push, seconds_left: int) -> dict[str, Any]:
    notification = push.notification
    found: dict[str, Any] = {
        "headers": {
            "TTL": str(seconds_left),
            "Urgency": "high" if push.priority == "high" else "normal",
        }
    }
    if not is_silent(notification):
        found["notification"] = {"tag": _tag(push)} | dict(notification.extra)
    link = notification.deep_link
    if link and link.startswith("https://"):
        found["fcm_options"] = {"link": link}
    return found
