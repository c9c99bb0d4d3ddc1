"""From JSON to firebase-admin's classes and back: the same, or a refusal in words."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from delivery.providers.fcm_payload import encode
from delivery.push import Encoded
from delivery.sdk.fcm_message import to_message
from delivery.sdk.trip import UnsupportedError
from tests.delivery.providers.pushes import NOW, collapse_ids, fcm_push, notifications


def written(message: dict[str, Any]) -> Any:
    """Return what firebase-admin would write of a message."""
    return json.loads(str(to_message(orjson.dumps({"message": message}))[0]))


def without_empty(value: Any) -> Any:
    """Leave out what firebase-admin never writes: nothing is the same as empty."""
    if not isinstance(value, dict):
        return value
    kept = {name: without_empty(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner not in (None, [], {})}


@given(notifications, collapse_ids, st.sampled_from(["ios", "android", "web"]))
def test_whatever_the_provider_encodes_is_written_as_it_was(
    notification: Any, collapse_id: str | None, platform: str
) -> None:
    push = fcm_push(notification=notification, collapse_id=collapse_id, platform=platform)
    encoded = encode(push, "p", NOW)
    assume(isinstance(encoded, Encoded))
    assert isinstance(encoded, Encoded)

    message = json.loads(encoded.body)["message"]
    said = written(message)

    if "android" in message:
        # The gateway takes the name of a priority in either case.
        message["android"]["priority"] = message["android"]["priority"].lower()
    assert without_empty(said) == without_empty(message)


EVERYTHING: dict[str, Any] = {
    "fid": "f",
    "data": {"a": "b"},
    "notification": {"title": "T", "body": "B", "image": "https://example.com/a.png"},
    "fcm_options": {"analytics_label": "label"},
    "android": {
        "collapse_key": "c",
        "priority": "normal",
        "ttl": "3600s",
        "restricted_package_name": "com.example",
        "data": {"c": "d"},
        "direct_boot_ok": True,
        "fcm_options": {"analytics_label": "label"},
        "notification": {
            "title": "T",
            "color": "#aabbcc",
            "tag": "t",
            "title_loc_key": "k",
            "title_loc_args": ["1"],
            "event_time": "2026-11-22T12:00:00.000000Z",
            "notification_priority": "PRIORITY_MAX",
            "vibrate_timings": ["1s", "0.500000000s"],
            "visibility": "SECRET",
            "proxy": "DENY",
            "sticky": False,
            "notification_count": 3,
            "light_settings": {
                "color": {"red": 1.0, "green": 0.2, "blue": 0.0, "alpha": 1.0},
                "light_on_duration": "1s",
                "light_off_duration": "2s",
            },
        },
    },
    "apns": {
        "headers": {"apns-priority": "5"},
        "live_activity_token": "l",
        "fcm_options": {"analytics_label": "label", "image": "https://example.com/a.png"},
        "payload": {
            "aps": {
                "alert": {"title": "T", "loc-key": "k", "summary-arg-count": 2},
                "badge": 1,
                "sound": {"name": "s", "critical": 1, "volume": 0.5},
                "category": "c",
                "thread-id": "t",
                "content-available": 1,
                "mutable-content": 0,
                "interruption-level": "active",
            },
            "self": "custom",
            "deep": {"er": [1, 2]},
        },
    },
    "webpush": {
        "headers": {"TTL": "1"},
        "data": {"e": "f"},
        "fcm_options": {"link": "https://example.com"},
        "notification": {
            "title": "T",
            "actions": [{"action": "a", "title": "A", "icon": "i"}],
            "dir": "ltr",
            "lang": "en",
            "requireInteraction": True,
            "timestamp": 1,
            "vibrate": [1, 2],
            "made-up": {"x": 1},
        },
    },
}


def test_every_field_is_written_as_it_was() -> None:
    assert written(EVERYTHING) == EVERYTHING


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"name": "n", "token": "t"}, "has no field for message.name"),
        ({"token": "t", "androidV2": {}}, "has no field for message.androidV2"),
        (
            {"token": "t", "android": {"notification": {"bypass_proxy_notification": True}}},
            "has no field for message.android.notification.bypass_proxy_notification",
        ),
        (
            {"token": "t", "webpush": {"fcm_options": {"analytics_label": "l"}}},
            "has no field for message.webpush.fcm_options.analytics_label",
        ),
        ({"token": "t", "data": {"a": 1}}, "Message.data must not contain non-string values"),
        ({"data": {"a": "b"}}, "Exactly one of"),
        ({"token": "t", "android": {"ttl": 3}}, "seconds such as 3.5s as message.android.ttl"),
        ({"token": "t", "android": "x"}, "wants an object as message.android"),
        ({"topic": "/topics/news"}, "would change message.topic"),
        (
            {"token": "t", "apns": {"payload": {"aps": {"sound": {"name": "s", "critical": 2}}}}},
            "wants 0 or 1",
        ),
        (
            {"token": "t", "android": {"notification": {"vibrate_timings": "1s"}}},
            "wants a list as message.android.notification.vibrate_timings",
        ),
        (
            {"token": "t", "android": {"notification": {"event_time": "yesterday"}}},
            "wants a time with its zone",
        ),
        (
            {"token": "t", "android": {"notification": {"light_settings": {"color": {"red": 2}}}}},
            "wants parts from 0 to 1",
        ),
        ({"token": "t", "webpush": {"notification": {"actions": 1}}}, "wants a list"),
    ],
)
def test_what_can_not_be_said_is_refused_in_words(message: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedError, match=words.replace(".", r"\.")):
        written(message)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"nonsense", "sends JSON only"),
        (b"[]", "sends messages only"),
        (b'{"message":{"token":"t"},"extra":1}', "has no field for extra"),
    ],
)
def test_a_body_that_is_no_message_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        to_message(body)


def test_a_message_may_be_for_validation_only() -> None:
    body = b'{"message":{"token":"t"},"validate_only":true}'

    assert to_message(body)[1]
    assert not to_message(b'{"message":{"token":"t"}}')[1]
