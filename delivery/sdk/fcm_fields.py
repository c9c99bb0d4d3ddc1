"""Where each field of an FCM message goes in firebase-admin's public classes; pure.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from firebase_admin import messaging

from delivery.sdk.trip import UnsupportedError

Read = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """The attribute that a field becomes, and how its value is read."""

    attribute: str
    read: Read


@dataclass(frozen=True, slots=True)
class Shape:
    """One class: its fields by their names in JSON.

    `rest` is the attribute that takes all other names as they are; without it they are refused.
    """

    make: Callable[[], Any]
    fields: Mapping[str, Field] = field(default_factory=dict)
    rest: str | None = None


def build(shape: Shape, value: Any, path: str) -> Any:
    """Return an object of the SDK; raise `UnsupportedError` naming a field it has no place for."""
    if not isinstance(value, dict):
        raise UnsupportedError(f"firebase-admin wants an object as {path}.")
    made = shape.make()
    rest: dict[str, Any] = {}
    for name, inner in value.items():
        known = shape.fields.get(name)
        if known is not None:
            setattr(made, known.attribute, known.read(inner, f"{path}.{name}"))
        elif shape.rest is not None:
            rest[name] = inner
        else:
            raise UnsupportedError(f"firebase-admin has no field for {path}.{name}.")
    if shape.rest is not None:
        setattr(made, shape.rest, rest)
    return made


def _same(*names: str) -> dict[str, Field]:
    return {name: Field(name, _plain) for name in names}


def _plain(value: Any, _path: str) -> Any:
    return value


def _of(shape: Shape) -> Read:
    return lambda value, path: build(shape, value, path)


def _lower(value: Any, _path: str) -> Any:
    return value.lower() if isinstance(value, str) else value


def _unprefixed(value: Any, _path: str) -> Any:
    return _lower(value, _path).removeprefix("priority_") if isinstance(value, str) else value


def seconds(text: Any) -> float | None:
    """Read a duration such as `3.5s`; None when it is none."""
    try:
        return float(text[:-1]) if isinstance(text, str) and text.endswith("s") else None
    except ValueError:
        return None


def _seconds(value: Any, path: str) -> float:
    found = seconds(value)
    if found is None:
        raise UnsupportedError(f"firebase-admin wants seconds such as 3.5s as {path}.")
    return found


def _milliseconds(value: Any, path: str) -> float:
    return _seconds(value, path) * 1_000


def _milliseconds_each(value: Any, path: str) -> list[float]:
    if not isinstance(value, list):
        raise UnsupportedError(f"firebase-admin wants a list as {path}.")
    return [_milliseconds(one, path) for one in value]


def moment(text: Any) -> datetime | None:
    """Read a timestamp of RFC 3339; None when it is none."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _moment(value: Any, path: str) -> datetime:
    found = moment(value)
    if found is None:
        raise UnsupportedError(f"firebase-admin wants a time with its zone as {path}.")
    return found


def _colour(value: Any, path: str) -> str:
    parts = [value.get(name, 0) for name in ("red", "green", "blue")] if value else []
    parts.append(value.get("alpha", 1) if isinstance(value, dict) else None)
    if not all(isinstance(part, int | float) and 0 <= part <= 1 for part in parts):
        raise UnsupportedError(f"firebase-admin wants parts from 0 to 1 as {path}.")
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def _sound(value: Any, path: str) -> Any:
    return value if isinstance(value, str) else build(_CRITICAL_SOUND, value, path)


def _alert(value: Any, path: str) -> Any:
    return value if isinstance(value, str) else build(_ALERT, value, path)


def _is_one(value: Any, path: str) -> bool:
    if value not in {0, 1}:
        raise UnsupportedError(f"firebase-admin wants 0 or 1 as {path}.")
    return bool(value)


def _actions(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise UnsupportedError(f"firebase-admin wants a list as {path}.")
    return [build(_WEB_ACTION, one, path) for one in value]


_OPTIONS = _same("analytics_label")
_LIGHT = Shape(
    lambda: messaging.LightSettings(None, None, None),
    {
        "color": Field("color", _colour),
        "light_on_duration": Field("light_on_duration_millis", _milliseconds),
        "light_off_duration": Field("light_off_duration_millis", _milliseconds),
    },
)
_ANDROID_NOTIFICATION = Shape(
    messaging.AndroidNotification,
    _same(
        *("title", "body", "icon", "color", "sound", "tag", "click_action", "body_loc_key"),
        *("body_loc_args", "title_loc_key", "title_loc_args", "channel_id", "image", "ticker"),
        *("sticky", "local_only", "default_vibrate_timings", "default_sound"),
        *("default_light_settings", "notification_count"),
    )
    | {
        "event_time": Field("event_timestamp", _moment),
        "notification_priority": Field("priority", _unprefixed),
        "vibrate_timings": Field("vibrate_timings_millis", _milliseconds_each),
        "light_settings": Field("light_settings", _of(_LIGHT)),
        "visibility": Field("visibility", _lower),
        "proxy": Field("proxy", _lower),
    },
)
_ANDROID = Shape(
    messaging.AndroidConfig,
    _same(
        *("collapse_key", "restricted_package_name", "data", "direct_boot_ok"),
        *("bandwidth_constrained_ok", "restricted_satellite_ok"),
    )
    | {
        "priority": Field("priority", _lower),
        "ttl": Field("ttl", _seconds),
        "notification": Field("notification", _of(_ANDROID_NOTIFICATION)),
        "fcm_options": Field("fcm_options", _of(Shape(messaging.AndroidFCMOptions, _OPTIONS))),
    },
)
# Its own fields check more, but they can not say all that Apple takes.
_ALERT = Shape(messaging.ApsAlert, rest="custom_data")
_CRITICAL_SOUND = Shape(
    lambda: messaging.CriticalSound(None),
    _same("name", "volume") | {"critical": Field("critical", _is_one)},
)
_APS = Shape(
    messaging.Aps,
    _same("badge", "category")
    | {
        "alert": Field("alert", _alert),
        "sound": Field("sound", _sound),
        "thread-id": Field("thread_id", _plain),
    },
    rest="custom_data",
)
_APNS_PAYLOAD = Shape(
    lambda: messaging.APNSPayload(messaging.Aps()),
    {"aps": Field("aps", _of(_APS))},
    rest="custom_data",
)
_APNS = Shape(
    messaging.APNSConfig,
    _same("headers", "live_activity_token")
    | {
        "payload": Field("payload", _of(_APNS_PAYLOAD)),
        "fcm_options": Field(
            "fcm_options",
            _of(Shape(messaging.APNSFCMOptions, _same("analytics_label", "image"))),
        ),
    },
)
_WEB_ACTION = Shape(
    lambda: messaging.WebpushNotificationAction(None, None), _same("action", "title", "icon")
)
_WEB_NOTIFICATION = Shape(
    messaging.WebpushNotification,
    _same("title", "body", "icon", "badge", "data", "image", "renotify", "silent", "tag", "vibrate")
    | {
        "actions": Field("actions", _actions),
        "dir": Field("direction", _plain),
        "lang": Field("language", _plain),
        "requireInteraction": Field("require_interaction", _plain),
        "timestamp": Field("timestamp_millis", _plain),
    },
    rest="custom_data",
)
_WEB = Shape(
    messaging.WebpushConfig,
    _same("headers", "data")
    | {
        "notification": Field("notification", _of(_WEB_NOTIFICATION)),
        "fcm_options": Field("fcm_options", _of(Shape(messaging.WebpushFCMOptions, _same("link")))),
    },
)
# The token is set as an attribute: as an argument of the class it warns at every push.
MESSAGE = Shape(
    messaging.Message,
    _same("data", "fid", "token", "topic", "condition")
    | {
        "notification": Field(
            "notification",
            _of(Shape(messaging.Notification, _same("title", "body", "image"))),
        ),
        "android": Field("android", _of(_ANDROID)),
        "apns": Field("apns", _of(_APNS)),
        "webpush": Field("webpush", _of(_WEB)),
        "fcm_options": Field("fcm_options", _of(Shape(messaging.FCMOptions, _OPTIONS))),
    },
)
