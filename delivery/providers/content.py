"""What both gateways' payloads have in common: data keys, limits in bytes, what is visible."""

from collections.abc import Mapping
from typing import Any

import orjson

from delivery.push import Notification, Push, Unsendable

APNS_LIMIT_BYTES = 4096
APNS_VOIP_LIMIT_BYTES = 5120
APNS_COLLAPSE_ID_LIMIT_BYTES = 64
FCM_LIMIT_BYTES = 4096

DEEP_LINK_KEY = "deep_link"
IMAGE_KEY = "image"
MESSAGE_ID_KEY = "carillon_message_id"

# FCM: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages (data) and the
# stricter list of docs/reference/fcm/rest/v1/ErrorCode; it overwrites collapse_key.
# APNs keeps `aps` for itself.
RESERVED_DATA_KEYS = frozenset(
    {"from", "gcm", "message_type", "collapse_key", "aps", MESSAGE_ID_KEY}
)
RESERVED_DATA_PREFIXES = ("google", "gcm.")


def is_reserved_data_key(key: str) -> bool:
    """Tell whether a key of `data` belongs to a gateway or to us, or is empty."""
    return not key or key in RESERVED_DATA_KEYS or key.startswith(RESERVED_DATA_PREFIXES)


def is_silent(notification: Notification) -> bool:
    """Tell whether nothing is shown, played or badged: asked for, or nothing given to show."""
    parts = (notification.title, notification.body, notification.subtitle, notification.sound)
    shown = any(parts) or notification.badge is not None or bool(notification.extra)
    return notification.silent or not shown


def custom_data(push: Push) -> dict[str, str] | Unsendable:
    """Return the data an app receives: the caller's, the deep link and the id of the push."""
    notification = push.notification
    given: Mapping[Any, Any] = notification.data
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str):
            return Unsendable("render_error", f"The value of data key {key!r} is not text.")
        if is_reserved_data_key(key):
            return Unsendable("render_error", f"The data key {key!r} is reserved.")
    data = dict(notification.data)
    if notification.deep_link is not None:
        data[DEEP_LINK_KEY] = notification.deep_link
    data[MESSAGE_ID_KEY] = push.id
    return data


def to_json(value: Any) -> bytes | Unsendable:
    """Return `value` as JSON; text that is no valid Unicode can not be sent."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        return Unsendable("render_error", f"The message can not be written as JSON: {error}.")


def too_large(what: str, size: int, limit: int) -> Unsendable:
    """Return the refusal of something over its limit, in words with both numbers."""
    return Unsendable("too_large", f"{what} has {size} bytes; at most {limit} are allowed.")
