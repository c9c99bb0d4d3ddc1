"""From a push to an FCM v1 message; pure.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from datetime import datetime
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
from delivery.push import Encoded, Notification, Push, Unsendable

TTL_LIMIT_SECONDS = 2_419_200

_HEADERS = (("content-type", "application/json"),)


def encode(push: Push, project_id: str, now: datetime) -> Encoded | Unsendable:
    """Build the request for one registration token or installation id."""
    if push.kind not in {"token", "fid"}:
        return Unsendable("render_error", f"FCM knows no target of kind {push.kind!r}.")
    message = _message(push, now)
    if isinstance(message, Unsendable):
        return message
    body = to_json({"message": message})
    if isinstance(body, Unsendable):
        return body
    refusal = _over_limit(message)
    if refusal is not None:
        return refusal
    return Encoded(push, f"/v1/projects/{project_id}/messages:send", _HEADERS, (), body)


def payload_bytes(message: dict[str, Any]) -> int:
    """Return what FCM counts: the UTF-8 bytes of keys and values of data and notification."""
    return sum(
        len(key.encode()) + len(value.encode())
        for part in (message.get("data", {}), message.get("notification", {}))
        for key, value in part.items()
    )


def push_bytes(push: Push, now: datetime) -> int | Unsendable:
    """Return what FCM counts against its limit of the message built for a push."""
    message = _message(push, now)
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
    collapse_id = message["apns"]["headers"].get("apns-collapse-id", "").encode()
    if len(collapse_id) > APNS_COLLAPSE_ID_LIMIT_BYTES:
        return too_large("The collapse id", len(collapse_id), APNS_COLLAPSE_ID_LIMIT_BYTES)
    return None


def _message(push: Push, now: datetime) -> dict[str, Any] | Unsendable:
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
        message["webpush"] = _webpush(push, now)
    else:
        message["android"] = _android(push, now)
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
    return push.collapse_id or str(push.id)


def _seconds_left(push: Push, now: datetime) -> int:
    return max(0, min(TTL_LIMIT_SECONDS, int((push.expires_at - now).total_seconds())))


def _android(push: Push, now: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {
        "priority": "HIGH" if push.priority == "high" else "NORMAL",
        "ttl": f"{_seconds_left(push, now)}s",
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


def _webpush(push: Push, now: datetime) -> dict[str, Any]:
    notification = push.notification
    found: dict[str, Any] = {
        "headers": {
            "TTL": str(_seconds_left(push, now)),
            "Urgency": "high" if push.priority == "high" else "normal",
        }
    }
    if not is_silent(notification):
        found["notification"] = {"tag": _tag(push)} | dict(notification.extra)
    link = notification.deep_link
    if link and link.startswith("https://"):
        found["fcm_options"] = {"link": link}
    return found
