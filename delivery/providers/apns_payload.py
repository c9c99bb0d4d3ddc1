"""From a push to an APNs request; pure.

https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from delivery.providers.content import (
    APNS_COLLAPSE_ID_LIMIT_BYTES,
    APNS_LIMIT_BYTES,
    APNS_VOIP_LIMIT_BYTES,
    IMAGE_KEY,
    custom_data,
    is_silent,
    to_json,
    too_large,
)
from delivery.providers.mould import Mould, Traits, make_mould, marked, traits
from delivery.push import Encoded, Notification, Push, Unsendable
from delivery.transport import Fields


@dataclass(frozen=True, slots=True)
class PushType:
    """The value of apns-push-type and what its topic adds to the bundle id."""

    name: str
    suffix: str = ""


PUSH_TYPES = {
    "alert": PushType("alert"),
    "voip": PushType("voip", ".voip"),
    "live_activity": PushType("liveactivity", ".push-type.liveactivity"),
    "complication": PushType("complication", ".complication"),
    "controls": PushType("controls", ".push-type.controls"),
    "file_provider": PushType("fileprovider", ".pushkit.fileprovider"),
    "location": PushType("location", ".location-query"),
    "mdm": PushType("mdm"),
    "push_to_talk": PushType("pushtotalk", ".voip-ptt"),
    "widgets": PushType("widgets", ".push-type.widgets"),
}
_BACKGROUND = PushType("background")
_LIVE_ACTIVITY_KEYS = ("timestamp", "event")


def aps(notification: Notification) -> dict[str, Any]:
    """Return the aps dictionary; a silent push may hold nothing but content-available."""
    if is_silent(notification):
        return {"content-available": 1}
    parts = {
        "title": notification.title,
        "subtitle": notification.subtitle,
        "body": notification.body,
    }
    alert = {name: text for name, text in parts.items() if text}
    found: dict[str, Any] = {"alert": alert} if alert else {}
    if notification.badge is not None:
        found["badge"] = notification.badge
    if notification.sound:
        found["sound"] = notification.sound
    if notification.image:
        # The app's notification service extension fetches the picture.
        found["mutable-content"] = 1
    return found | dict(notification.extra)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What pushes of one message to one kind of target have in common.

    `collapse` is None when each push collapses with itself alone.
    """

    mould: Mould
    limit_bytes: int
    headers: Fields
    expiration: tuple[str, str]
    collapse: Fields | None


def encode(push: Push, bundle_id: str | None) -> Encoded | Unsendable:
    """Build the request for one device token; `bundle_id` is the credential's topic."""
    token = push.token
    shape = _shape(
        push.notification,
        traits(push),
        (push.kind, push.topic, bundle_id),
        (push.expires_at, push.collapse_id, push.priority),
    )
    if shape is not None and token.isascii() and token.isalnum():
        body = shape.mould.cast(push)
        if body is not None and len(body) <= shape.limit_bytes:
            name = push.id
            collapse = shape.collapse
            if collapse is None:
                collapse = (("apns-collapse-id", name),)
            varying = (("apns-id", name), shape.expiration, *collapse)
            return Encoded(push, "/3/device/" + token, shape.headers, varying, body)
    return encode_alone(push, bundle_id)


def encode_alone(push: Push, bundle_id: str | None) -> Encoded | Unsendable:
    """Do as `encode` does, for this push alone: slower, and it says what can not be sent."""
    push = replace(push, notification=push.notification.filled(push.texts), texts=())
    made = _unlimited(push, bundle_id)
    if isinstance(made, Encoded) and len(made.body) > _limit_bytes(push.kind):
        return too_large("The APNs payload", len(made.body), _limit_bytes(push.kind))
    return made


def _unlimited(push: Push, bundle_id: str | None) -> Encoded | Unsendable:
    kind = push_type(push)
    if kind is None:
        return Unsendable("render_error", f"APNs knows no target of kind {push.kind!r}.")
    if not all(map(_is_header_text, (push.token, push.topic or "", push.collapse_id or ""))):
        return Unsendable(
            "render_error",
            "The token, topic or collapse id holds a control character or begins or ends "
            "with a space.",
        )
    body = _body(push)
    if isinstance(body, Unsendable):
        return body
    varying = _varying(push, kind)
    if isinstance(varying, Unsendable):
        return varying
    path = "/3/device/" + quote(push.token, safe="")
    return Encoded(push, path, _headers(push, kind, bundle_id), varying, body)


# Each window of a message brings the same arguments: texts alone differ between its recipients.
@lru_cache(maxsize=256)
def _shape(
    notification: Notification,
    found: Traits | None,
    target: tuple[str, str | None, str | None],
    delivery: tuple[datetime, str | None, str],
) -> _Shape | None:
    kind, topic, bundle_id = target
    expires_at, collapse_id, priority = delivery
    push = Push("", "", "", kind, "", topic, notification, expires_at, collapse_id, priority)
    sample = _unlimited(marked(push, found), bundle_id)
    if isinstance(sample, Unsendable):
        # It takes the recipient's own push to say why.
        return None
    _, expiration, *collapse = sample.varying
    return _Shape(
        mould=make_mould(sample.body),
        limit_bytes=_limit_bytes(kind),
        headers=sample.headers,
        expiration=expiration,
        collapse=None if collapse and not collapse_id else tuple(collapse),
    )


def _limit_bytes(kind: str) -> int:
    return APNS_VOIP_LIMIT_BYTES if kind == "voip" else APNS_LIMIT_BYTES


def payload_bytes(push: Push) -> int | Unsendable:
    """Return what APNs counts against its limit: the bytes of the body."""
    body = _body(push)
    return body if isinstance(body, Unsendable) else len(body)


def push_type(push: Push) -> PushType | None:
    """Return the push type of a push, None for a kind of target APNs does not have."""
    if push.kind == "alert" and is_silent(push.notification):
        return _BACKGROUND
    return PUSH_TYPES.get(push.kind)


def _body(push: Push) -> bytes | Unsendable:
    data = custom_data(push)
    if isinstance(data, Unsendable):
        return data
    inner = dict(push.notification.extra) if _is_live(push) else aps(push.notification)
    missing = [key for key in _LIVE_ACTIVITY_KEYS if _is_live(push) and key not in inner]
    if missing:
        return Unsendable("render_error", f"A Live Activity push needs aps.{missing[0]}.")
    if push.notification.image:
        data.setdefault(IMAGE_KEY, push.notification.image)
    return to_json({"aps": inner, **data})


def _is_live(push: Push) -> bool:
    return push.kind == "live_activity"


def _varying(push: Push, kind: PushType) -> Fields | Unsendable:
    # A re-send carries the same apns-id and the same collapse id, so it replaces the first.
    collapse_id = push.collapse_id or (push.id if kind.name == "alert" else None)
    fields = (
        ("apns-id", push.id),
        ("apns-expiration", str(int(push.expires_at.timestamp()))),
    )
    if not collapse_id:
        return fields
    size = len(collapse_id.encode())
    if size > APNS_COLLAPSE_ID_LIMIT_BYTES:
        return too_large("The collapse id", size, APNS_COLLAPSE_ID_LIMIT_BYTES)
    return (*fields, ("apns-collapse-id", collapse_id))


def _headers(push: Push, kind: PushType, bundle_id: str | None) -> Fields:
    urgent = push.priority == "high" and kind is not _BACKGROUND
    fields = (
        ("content-type", "application/json"),
        ("apns-push-type", kind.name),
        ("apns-priority", "10" if urgent else "5"),
    )
    topic = push.topic or bundle_id
    return (*fields, ("apns-topic", _suffixed(topic, kind.suffix))) if topic else fields


def _suffixed(topic: str, suffix: str) -> str:
    return topic if topic.endswith(suffix) else topic + suffix


def _is_header_text(value: str) -> bool:
    # Half a surrogate pair has no UTF-8; spaces at the ends are malformed (RFC 9113, 8.2.1).
    if value != value.strip(" "):
        return False
    return all(" " <= char != "\x7f" and not "\ud800" <= char <= "\udfff" for char in value)
