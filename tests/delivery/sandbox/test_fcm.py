"""Every rule of an FCM message, as a table."""

from typing import Any

import orjson
import pytest

from delivery.sandbox.fcm import Message, read_message
from delivery.sandbox.fcm_errors import Fault
from delivery.sandbox.tokens import fcm_fid, fcm_token

TOKEN = fcm_token("accepted", 1)


def _read(message: Any, **request: Any) -> Message | Fault:
    return read_message(orjson.dumps({"message": message, **request}))


def _to_token(**fields: Any) -> dict[str, Any]:
    return {"token": TOKEN, **fields}


@pytest.mark.parametrize(
    "message",
    [
        _to_token(),
        {"token": fcm_fid("accepted", 1)},
        {"fid": fcm_fid("accepted", 1)},
        {"topic": "news"},
        {"topic": "/topics/news"},
        {"condition": "'a' in topics && ('b' in topics || !('c' in topics))"},
        _to_token(data={"k": "v"}, notification={"title": "t", "body": "b", "image": "i"}),
        _to_token(android={"collapse_key": "c", "priority": "high", "ttl": "3.5s"}),
        _to_token(android={"collapseKey": "c", "priority": "NORMAL", "ttl": "2419200s"}),
        _to_token(android={"notification": {"notification_count": 3, "vibrate_timings": ["1s"]}}),
        _to_token(
            android={
                "notification": {
                    "event_time": "2026-01-02T03:04:05Z",
                    "visibility": "PUBLIC",
                    "light_settings": {"color": {"red": 1}, "light_on_duration": "1s"},
                }
            }
        ),
        _to_token(android_v2={"remote_notification": {"notification": {"id": 5}}}),
        _to_token(apns={"headers": {"apns-priority": "5"}, "payload": {"aps": {"badge": 1}}}),
        _to_token(webpush={"headers": {"TTL": "5"}, "fcm_options": {"link": "https://x.test"}}),
        _to_token(data=None),
    ],
)
def test_a_good_message_is_read(message: dict[str, Any]) -> None:
    assert isinstance(_read(message), Message)


def test_the_parts_of_a_message_are_found() -> None:
    message = _to_token(data={"a": "1", "b": "1"}, android={"data": {"b": "2"}})

    read = _read(message, validate_only=True)

    assert read == Message("token", TOKEN, {"a": "1", "b": "2"}, validate_only=True)


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"message": {"token": TOKEN, "colour": 1}}, "message", 'Unknown name "colour"'),
        ({"messages": {}}, "", 'Unknown name "messages"'),
        ({"message": _to_token(data={"k": 1})}, "message.data[0].value", "TYPE_STRING"),
        ({"message": _to_token(data={"k": None})}, "message.data[0].value", "null"),
        ({"message": _to_token(data=[])}, "message.data", "message"),
        ({"message": {"token": 5}}, "message.token", "TYPE_STRING"),
        ({"message": _to_token(android={"ttl": 5})}, "message.android.ttl", "Duration"),
        ({"message": _to_token(android={"ttl": "5"})}, "message.android.ttl", "Duration"),
        (
            {"message": _to_token(android={"priority": "urgent"})},
            "message.android.priority",
            "TYPE_ENUM",
        ),
        (
            {"message": _to_token(android={"notification": {"notificationCount": 2**31}})},
            "message.android.notification.notification_count",
            "TYPE_INT32",
        ),
        (
            {"message": _to_token(android={"notification": {"title_loc_args": ["a", 2]}})},
            "message.android.notification.title_loc_args[1]",
            "TYPE_STRING",
        ),
        ({"message": _to_token(), "validate_only": "yes"}, "validate_only", "TYPE_BOOL"),
    ],
)
def test_a_wrong_shape_names_its_field(body: dict[str, Any], field: str, words: str) -> None:
    fault = read_message(orjson.dumps(body))

    assert isinstance(fault, Fault)
    violation = fault.details[0]["fieldViolations"][0]
    assert (fault.status, fault.canonical) == (400, "INVALID_ARGUMENT")
    assert violation["field"] == field
    assert words in violation["description"]
    assert fault.label() == "INVALID_ARGUMENT"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"message"', b"null"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    fault = read_message(body)

    assert isinstance(fault, Fault)
    assert fault.status == 400


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({}, "Recipient"),
        ({"token": ""}, "Recipient"),
        ({"token": TOKEN, "topic": "news"}, "Exactly one"),
        ({"token": "short"}, "not a valid FCM registration token"),
        ({"fid": "short"}, "not a valid Firebase installation ID"),
        ({"topic": "no spaces"}, "Invalid topic"),
        ({"condition": "a and b"}, "Invalid condition"),
        (
            {"condition": " && ".join(f"'{name}' in topics" for name in "abcdef")},
            "Invalid condition",
        ),
        (_to_token(android={}, android_v2={}), "Only one of"),
        (_to_token(android={"ttl": "-1s"}), "ttl"),
        (_to_token(android={"ttl": "2419201s"}), "ttl"),
        (_to_token(android_v2={"ttl": "2419201s"}), "ttl"),
        (_to_token(fcm_options={"analytics_label": "no spaces"}), "label"),
        (_to_token(apns={"fcm_options": {"analytics_label": "x" * 51}}), "label"),
        (_to_token(data={"from": "x"}), "Invalid data payload key: from"),
        (_to_token(data={"message_type": "x"}), "message_type"),
        (_to_token(data={"gcm": "x"}), "gcm"),
        (_to_token(data={"google.x": "x"}), "google.x"),
        (_to_token(data={"gcm.notification.x": "x"}), "gcm.notification.x"),
        (_to_token(android={"data": {"google_x": "x"}}), "google_x"),
        (_to_token(data={"k": "v" * 4096}), "too big"),
        ({"topic": "news", "data": {"k": "v" * 2048}}, "too big"),
        (_to_token(apns={"payload": {"aps": {"alert": "a" * 4096}}}), "too big"),
    ],
)
def test_a_broken_rule_is_an_invalid_argument(message: dict[str, Any], words: str) -> None:
    fault = _read(message)

    assert isinstance(fault, Fault)
    assert words in fault.message
    assert fault.details[0]["errorCode"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("message", "limit"),
    [({"token": TOKEN}, 4096), ({"topic": "news"}, 2048)],
)
def test_the_limit_counts_bytes_of_keys_and_values(message: dict[str, str], limit: int) -> None:
    # The key takes one byte, "é" two and "v" one.
    full = "é" * (limit // 2 - 1) + "v"

    assert isinstance(_read({**message, "data": {"k": full}}), Message)
    assert isinstance(_read({**message, "data": {"k": full + "v"}}), Fault)
