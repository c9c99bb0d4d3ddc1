"""FCM messages from pushes."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.fcm_payload import encode, payload_bytes
from delivery.push import Encoded, Notification, Push, Unsendable
from tests.delivery.providers.pushes import ID, NOW, collapse_ids, fcm_push, notifications


def sent(push: Push) -> dict[str, Any]:
    """Encode and return the message."""
    encoded = encode(push, "project-1", NOW)
    assert isinstance(encoded, Encoded), encoded
    message: dict[str, Any] = orjson.loads(encoded.body)["message"]
    return message


def refused(push: Push) -> Unsendable:
    encoded = encode(push, "project-1", NOW)
    assert isinstance(encoded, Unsendable)
    return encoded


def test_a_notification_to_android_carries_everything_the_app_needs() -> None:
    notification = Notification(
        title="T",
        body="B",
        image="https://x/y.png",
        sound="default",
        badge=3,
        deep_link="app://a",
        data={"k": "v"},
        extra={"channel_id": "news"},
    )

    message = sent(fcm_push(notification=notification, token="tok"))

    assert message == {
        "token": "tok",
        "data": {"k": "v", "deep_link": "app://a", "carillon_message_id": ID},
        "notification": {"title": "T", "body": "B", "image": "https://x/y.png"},
        "android": {
            "priority": "HIGH",
            "ttl": "3600s",
            "notification": {
                "tag": ID,
                "sound": "default",
                "notification_count": 3,
                "channel_id": "news",
            },
        },
    }


def test_the_path_names_the_project() -> None:
    encoded = encode(fcm_push(), "project-1", NOW)

    assert isinstance(encoded, Encoded)
    assert encoded.path == "/v1/projects/project-1/messages:send"


def test_an_installation_id_is_a_target_of_its_own() -> None:
    message = sent(fcm_push(kind="fid", token="c" * 22))

    assert message["fid"] == "c" * 22
    assert "token" not in message


def test_an_unknown_kind_is_refused() -> None:
    assert refused(fcm_push(kind="alert")).reason == "render_error"


def test_a_silent_push_is_data_only() -> None:
    message = sent(fcm_push(notification=Notification(title="T", data={"k": "v"}, silent=True)))

    assert message["data"]["k"] == "v"
    assert "notification" not in message
    assert "notification" not in message["android"]


def test_messages_collapse_in_transit_only_on_request() -> None:
    assert "collapse_key" not in sent(fcm_push())["android"]

    android = sent(fcm_push(collapse_id="news"))["android"]

    assert (android["collapse_key"], android["notification"]["tag"]) == ("news", "news")


@pytest.mark.parametrize(
    ("seconds", "ttl"), [(-5, "0s"), (0.9, "0s"), (61.5, "61s"), (10**8, "2419200s")]
)
def test_the_time_to_live_is_what_is_left(seconds: float, ttl: str) -> None:
    push = fcm_push(expires_at=NOW + timedelta(seconds=seconds))

    assert sent(push)["android"]["ttl"] == ttl


def test_an_iphone_behind_fcm_gets_the_headers_of_apple() -> None:
    notification = Notification(
        title="T", body="B", subtitle="S", badge=1, image="https://x/y.png", extra={"category": "c"}
    )

    message = sent(fcm_push(platform="ios", notification=notification))

    assert "android" not in message
    assert message["apns"] == {
        "headers": {
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": "1795352400",
            "apns-collapse-id": ID,
        },
        "payload": {
            "aps": {
                "alert": {"title": "T", "subtitle": "S", "body": "B"},
                "badge": 1,
                "mutable-content": 1,
                "category": "c",
            }
        },
        "fcm_options": {"image": "https://x/y.png"},
    }


def test_a_silent_push_to_an_iphone_behind_fcm_has_low_priority() -> None:
    apns = sent(fcm_push(platform="ios", notification=Notification(silent=True)))["apns"]

    assert apns["payload"] == {"aps": {"content-available": 1}}
    assert apns["headers"]["apns-priority"] == "5"
    assert apns["headers"]["apns-push-type"] == "background"


def test_a_browser_gets_a_link_and_a_tag() -> None:
    notification = Notification(title="T", deep_link="https://example.com/a")

    webpush = sent(fcm_push(platform="web", notification=notification))["webpush"]

    assert webpush == {
        "headers": {"TTL": "3600", "Urgency": "high"},
        "notification": {"tag": ID},
        "fcm_options": {"link": "https://example.com/a"},
    }


def test_a_browser_is_never_sent_to_a_link_that_is_not_https() -> None:
    notification = Notification(deep_link="app://a", silent=True)

    webpush = sent(fcm_push(platform="web", priority="normal", notification=notification))[
        "webpush"
    ]

    assert webpush == {"headers": {"TTL": "3600", "Urgency": "normal"}}


@pytest.mark.parametrize("unit", ["x", "é", "🎉"])
def test_the_limit_is_exact_to_the_byte(unit: str) -> None:
    fixed = payload_bytes(sent(fcm_push(notification=Notification(body="x", data={"k": ""})))) - 1

    def of_size(size: int) -> Push:
        count, rest = divmod(size - fixed - 1, len(unit.encode()))
        data = {"k": unit * count + "x" * rest}
        return fcm_push(notification=Notification(body="x", data=data))

    assert payload_bytes(sent(of_size(4096))) == 4096
    words = "The FCM payload has 4097 bytes; at most 4096 are allowed."
    assert refused(of_size(4097)) == Unsendable("too_large", words)


def test_an_iphone_behind_fcm_is_held_to_apples_limit_too() -> None:
    push = fcm_push(platform="ios", notification=Notification(body="B", data={"k": "x" * 4_000}))

    assert refused(push).words.startswith("The iOS payload has ")
    assert refused(fcm_push(platform="ios", collapse_id="x" * 65)).reason == "too_large"


@given(
    notification=notifications,
    collapse_id=collapse_ids,
    platform=st.sampled_from(["android", "ios", "web"]),
)
def test_what_is_sent_is_valid_and_within_the_limits(
    notification: Notification, collapse_id: str | None, platform: str
) -> None:
    push = fcm_push(notification=notification, collapse_id=collapse_id, platform=platform)

    encoded = encode(push, "project-1", NOW)

    if isinstance(encoded, Unsendable):
        assert encoded.reason in {"too_large", "render_error"}
        return
    message = orjson.loads(encoded.body)["message"]
    parts = [*message["data"].items(), *message.get("notification", {}).items()]
    assert sum(len(key.encode()) + len(value.encode()) for key, value in parts) <= 4096
    assert all(isinstance(value, str) for value in message["data"].values())
    assert message["data"]["carillon_message_id"] == ID
