"""The shape of an FCM v1 send request, pure: JSON in, field violations out.

From the discovery document of fcm v1; both lowerCamelCase and snake_case are read.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Violation = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A JSON array of one kind."""

    kind: "Kind"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A JSON object with free keys and values of one kind."""

    kind: "Kind"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: what proto calls it, and whether a value is one."""

    name: str
    fits: Callable[[Any], bool]


Kind = Scalar | ListOf | MapOf | Mapping[str, "Kind"]

_DURATION = re.compile(r"-?[0-9]+(\.[0-9]{1,9})?s")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_INT = re.compile(r"-?[0-9]+")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _int32(value: Any) -> bool:
    if isinstance(value, str) and _INT.fullmatch(value):
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31


def _enum(*names: str, prefix: str = "") -> Scalar:
    known = {prefix + name for name in names}
    return Scalar("TYPE_ENUM", lambda value: isinstance(value, str) and value in known)


TEXT = Scalar("TYPE_STRING", lambda value: isinstance(value, str))
BOOL = Scalar("TYPE_BOOL", lambda value: isinstance(value, bool))
INT32 = Scalar("TYPE_INT32", _int32)
NUMBER = Scalar("TYPE_FLOAT", _number)
OBJECT = Scalar("google.protobuf.Struct", lambda value: isinstance(value, dict))
DURATION = Scalar(
    "google.protobuf.Duration",
    lambda value: isinstance(value, str) and bool(_DURATION.fullmatch(value)),
)
TIMESTAMP = Scalar(
    "google.protobuf.Timestamp",
    lambda value: isinstance(value, str) and bool(_TIMESTAMP.fullmatch(value)),
)

_LABEL: Kind = {"analyticsLabel": TEXT}
_NOTIFICATION: dict[str, Kind] = {
    **dict.fromkeys(
        ("title", "body", "icon", "color", "sound", "tag", "image", "clickAction"), TEXT
    ),
    **dict.fromkeys(("channelId", "ticker", "bodyLocKey", "titleLocKey"), TEXT),
    **dict.fromkeys(("sticky", "localOnly", "defaultSound", "defaultVibrateTimings"), BOOL),
    "defaultLightSettings": BOOL,
    "eventTime": TIMESTAMP,
    "notificationPriority": _enum(
        "UNSPECIFIED", "MIN", "LOW", "DEFAULT", "HIGH", "MAX", prefix="PRIORITY_"
    ),
    "vibrateTimings": ListOf(DURATION),
    "visibility": _enum("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
    "notificationCount": INT32,
    "lightSettings": {
        "color": dict.fromkeys(("red", "green", "blue", "alpha"), NUMBER),
        "lightOnDuration": DURATION,
        "lightOffDuration": DURATION,
    },
    "bodyLocArgs": ListOf(TEXT),
    "titleLocArgs": ListOf(TEXT),
}
_ANDROID: dict[str, Kind] = {
    "collapseKey": TEXT,
    "priority": Scalar(
        "TYPE_ENUM", lambda value: isinstance(value, str) and value.upper() in ("NORMAL", "HIGH")
    ),
    "ttl": DURATION,
    "restrictedPackageName": TEXT,
    "data": MapOf(TEXT),
    "fcmOptions": _LABEL,
    **dict.fromkeys(("directBootOk", "bandwidthConstrainedOk", "restrictedSatelliteOk"), BOOL),
}
_MESSAGE: dict[str, Kind] = {
    **dict.fromkeys(("name", "fid", "token", "topic", "condition"), TEXT),
    "data": MapOf(TEXT),
    "notification": dict.fromkeys(("title", "body", "image"), TEXT),
    "android": {
        **_ANDROID,
        "notification": {
            **_NOTIFICATION,
            "proxy": _enum("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
            "bypassProxyNotification": BOOL,
        },
    },
    "androidV2": {
        **_ANDROID,
        "remoteNotification": {
            "notification": {**_NOTIFICATION, "id": INT32},
            "mutableContent": BOOL,
            "useAsV1DataMessage": BOOL,
        },
        "backgroundSync": {},
    },
    "webpush": {
        "headers": MapOf(TEXT),
        "data": MapOf(TEXT),
        "notification": OBJECT,
        "fcmOptions": {"link": TEXT, "analyticsLabel": TEXT},
    },
    "apns": {
        "headers": MapOf(TEXT),
        "payload": OBJECT,
        "fcmOptions": {"analyticsLabel": TEXT, "image": TEXT},
        "liveActivityToken": TEXT,
    },
    "fcmOptions": _LABEL,
}
REQUEST: dict[str, Kind] = {"message": _MESSAGE, "validateOnly": BOOL}


def camel_case(name: str) -> str:
    """Spell a field as the discovery document does."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def normal_form(value: Any, kind: Kind) -> Any:
    """Spell every known field in camelCase and drop nulls; call it on a body without violations."""
    if isinstance(kind, Mapping):
        return {
            camel_case(name): normal_form(item, kind[camel_case(name)])
            for name, item in value.items()
            if item is not None
        }
    return value


def violations(value: Any, kind: Kind, path: str = "") -> list[Violation]:
    """List what does not fit the shape, in the words and paths of Google's JSON reader."""
    wrong = _misfit(value, kind)
    if wrong:
        return [_wrong_type(path, wrong, value)]
    if value is None or isinstance(kind, Scalar):
        return []
    if isinstance(kind, ListOf):
        return _each(value, kind.kind, path, "")
    if isinstance(kind, MapOf):
        # A map is a list of entries to the JSON reader, so its paths count them.
        return _each(value.values(), kind.kind, path, ".value")
    return _object_violations(value, kind, path)


def _misfit(value: Any, kind: Kind) -> str:
    """Name the kind that the value itself, without its members, should have and has not."""
    if value is None:
        return ""
    if isinstance(kind, Scalar):
        return "" if kind.fits(value) else kind.name
    if isinstance(kind, ListOf):
        return "" if isinstance(value, list) else "list"
    return "" if isinstance(value, dict) else "message"


def _each(items: Iterable[Any], kind: Kind, path: str, tail: str) -> list[Violation]:
    found: list[Violation] = []
    for index, item in enumerate(items):
        place = f"{path}[{index}]{tail}"
        # A null field is an absent one, but a null member is nothing at all.
        found += (
            [_wrong_type(place, "null", None)] if item is None else violations(item, kind, place)
        )
    return found


def _object_violations(
    value: Mapping[str, Any], kind: Mapping[str, Kind], path: str
) -> list[Violation]:
    found: list[Violation] = []
    for name, item in value.items():
        known = kind.get(camel_case(name))
        if known is None:
            place = f" at '{path}'" if path else ""
            text = f'Invalid JSON payload received. Unknown name "{name}"{place}: '
            found.append((path, text + "Cannot find field."))
        else:
            snake = name if "_" in name else _snake_case(name)
            found += violations(item, known, f"{path}.{snake}" if path else snake)
    return found


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


def _wrong_type(path: str, name: str, value: Any) -> Violation:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return path, f"Invalid value at '{path}' ({name}), {shown[:80]}"
