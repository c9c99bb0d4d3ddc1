"""What the rule builder offers: kinds of conditions, their fields, operators and values. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

ALL, ANY, NONE = "all", "any", "none"
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        ALL: "All of these hold",
        ANY: "At least one of these holds",
        NONE: "None of these holds",
    }
)
ATTRIBUTE, EVENT, DEVICE, PERSON = "attribute", "event", "device", "person"
MESSAGE, LIST, SEGMENT, OTHER = "message", "list", "segment", "json"
# Inside of an event or a device.
CONDITION = "condition"
LEAVES: Mapping[str, str] = MappingProxyType(
    {
        ATTRIBUTE: "Attribute",
        EVENT: "Event",
        DEVICE: "Device",
        PERSON: "Person",
        MESSAGE: "Message",
        LIST: "Static list",
        SEGMENT: "Segment",
        OTHER: "Anything else, as JSON",
    }
)

# How a value is asked for. A scalar is a text, a number, or true or false, as one chooses.
TEXT, NUMBER, TRUTH, MOMENT, NOTHING = "text", "number", "truth", "moment", "nothing"
SCALAR, SCALARS, TEXTS, PAIR = "scalar", "scalars", "texts", "two numbers or moments"
NUMBERS, MOMENTS, VERSIONS = "two numbers", "two moments", "two versions"

_PRESENCE = {"exists": NOTHING, "missing": NOTHING}
_TEXTS = {
    "equals": TEXT,
    "not_equals": TEXT,
    "in": TEXTS,
    "contains": TEXT,
    "starts_with": TEXT,
    "matches": TEXT,
    **_PRESENCE,
}
_DATES = {"before": MOMENT, "after": MOMENT, "between": MOMENTS}
_COMPARED = {"<": NUMBER, "<=": NUMBER, ">": NUMBER, ">=": NUMBER}
_VERSIONS = {
    **dict.fromkeys(("equals", "not_equals", "<", "<=", ">", ">="), TEXT),
    "in": TEXTS,
    "between": VERSIONS,
    **_PRESENCE,
}
_TRUTH = {"equals": TRUTH}
_AMOUNT = {"equals": NUMBER, **_COMPARED, "between": NUMBERS}
_VALUES = {
    "equals": SCALAR,
    "not_equals": SCALAR,
    "in": SCALARS,
    "contains": TEXT,
    "starts_with": TEXT,
    "matches": TEXT,
    **_PRESENCE,
    **_COMPARED,
    "between": PAIR,
    "before": MOMENT,
    "after": MOMENT,
    "array_contains": SCALAR,
}
# The operators that fit most values come first.
_FIRST: Mapping[str, Sequence[str]] = {
    "number": ("equals", "not_equals", "<", "<=", ">", ">=", "between"),
    "time": ("before", "after", "between", "is_anniversary"),
    "list": ("array_contains",),
    "object": ("exists", "missing"),
}
MEASURES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "count": {"at_least": NUMBER, "at_most": NUMBER, "exactly": NUMBER, "between": NUMBERS},
        "sum": _AMOUNT,
        "min": _AMOUNT,
        "max": _AMOUNT,
        "avg": _AMOUNT,
        "first": _DATES,
        "last": _DATES,
    }
)
DEVICE_FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("platform", "model", "locale", "permission"), _TEXTS),
        "provider": {"equals": TEXT, "in": TEXTS},
        "app_version": _VERSIONS,
        "os_version": _VERSIONS,
        "last_seen": {**_DATES, **_PRESENCE},
        "registered": _DATES,
    }
)
PERSON_FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "created": _DATES,
        "last_seen": {**_DATES, **_PRESENCE},
        **dict.fromkeys(("external_id", "locale", "time_zone", "country"), _TEXTS),
        "push_consent": _TRUTH,
        "analytics_consent": _TRUTH,
        "has_device": _TRUTH,
    }
)
KNOWN_VALUES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "platform": ("android", "ios", "web"),
        "permission": (
            "granted",
            "provisional",
            "ephemeral",
            "denied",
            "not_determined",
            "unknown",
        ),
        "provider": ("fcm", "apns", "webpush"),
    }
)
UNITS = ("minutes", "hours", "days", "weeks", "months", "years")


def operators_of(kind: str | None, *, recurs: bool) -> Mapping[str, str]:
    """Return the operators for values in JSON, with how each value is asked for.

    Those that fit the type `kind` come first; all follow, since values may be of several types.
    Only what `recurs` has anniversaries.
    """
    offered = {**_VALUES, **({"is_anniversary": NUMBER} if recurs else {})}
    first = [name for name in _FIRST.get(kind or "", ()) if name in offered]
    return {name: offered[name] for name in (*first, *offered)}
