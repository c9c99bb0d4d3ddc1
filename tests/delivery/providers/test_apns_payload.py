"""APNs requests from pushes."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.apns_payload import encode
from delivery.push import Encoded, Notification, Push, Unsendable
from tests.delivery.providers.pushes import ID, apns_push, collapse_ids, notifications

BUNDLE = "com.example.app"


def sent(push: Push) -> tuple[dict[str, str], dict[str, Any]]:
    """Encode and return headers and body."""
    encoded = encode(push, BUNDLE)
    assert isinstance(encoded, Encoded), encoded
    return dict(encoded.headers + encoded.varying), orjson.loads(encoded.body)


def refused(push: Push) -> Unsendable:
    encoded = encode(push, BUNDLE)
    assert isinstance(encoded, Unsendable)
    return encoded


def test_an_alert_carries_everything_the_app_needs() -> None:
    notification = Notification(
        title="T",
        subtitle="S",
        body="B",
        image="https://x/y.png",
        sound="default",
        badge=0,
        deep_link="app://a",
        data={"k": "v"},
        extra={"thread-id": "t"},
    )

    headers, body = sent(apns_push(notification=notification))

    assert body == {
        "aps": {
            "alert": {"title": "T", "subtitle": "S", "body": "B"},
            "badge": 0,
            "sound": "default",
            "mutable-content": 1,
            "thread-id": "t",
        },
        "k": "v",
        "deep_link": "app://a",
        "image": "https://x/y.png",
        "carillon_message_id": ID,
    }
    assert headers == {
        "apns-id": ID,
        "content-type": "application/json",
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": "1795352400",
        "apns-topic": BUNDLE,
        "apns-collapse-id": ID,
    }


def test_the_path_is_the_token_escaped() -> None:
    plain, odd = encode(apns_push(), BUNDLE), encode(apns_push(token="a/b?c é"), BUNDLE)

    assert isinstance(plain, Encoded)
    assert isinstance(odd, Encoded)
    assert plain.path == "/3/device/" + "ab" * 32
    assert odd.path == "/3/device/a%2Fb%3Fc%20%C3%A9"


def test_a_silent_push_is_a_background_push_with_low_priority() -> None:
    notification = Notification(title="T", sound="x", badge=1, data={"k": "v"}, silent=True)

    headers, body = sent(apns_push(notification=notification, priority="high"))

    assert body["aps"] == {"content-available": 1}
    assert body["k"] == "v"
    assert (headers["apns-push-type"], headers["apns-priority"]) == ("background", "5")


def test_a_push_with_nothing_to_show_is_silent() -> None:
    headers, body = sent(apns_push(notification=Notification(data={"k": "v"})))

    assert body["aps"] == {"content-available": 1}
    assert headers["apns-push-type"] == "background"


# https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
@pytest.mark.parametrize(
    ("kind", "push_type", "topic"),
    [
        ("alert", "alert", BUNDLE),
        ("voip", "voip", BUNDLE + ".voip"),
        ("complication", "complication", BUNDLE + ".complication"),
        ("controls", "controls", BUNDLE + ".push-type.controls"),
        ("file_provider", "fileprovider", BUNDLE + ".pushkit.fileprovider"),
        ("location", "location", BUNDLE + ".location-query"),
        ("mdm", "mdm", BUNDLE),
        ("push_to_talk", "pushtotalk", BUNDLE + ".voip-ptt"),
        ("widgets", "widgets", BUNDLE + ".push-type.widgets"),
    ],
)
def test_each_kind_has_its_push_type_and_topic(kind: str, push_type: str, topic: str) -> None:
    headers, _ = sent(apns_push(kind=kind))

    assert (headers["apns-push-type"], headers["apns-topic"]) == (push_type, topic)


def test_a_live_activity_is_described_by_its_aps_fields() -> None:
    state = {"timestamp": 1, "event": "update", "content-state": {"score": 2}}

    headers, body = sent(apns_push(kind="live_activity", notification=Notification(extra=state)))

    assert body["aps"] == state
    assert headers["apns-topic"] == BUNDLE + ".push-type.liveactivity"
    assert headers["apns-push-type"] == "liveactivity"


def test_a_live_activity_without_its_event_is_refused() -> None:
    push = apns_push(kind="live_activity", notification=Notification(extra={"timestamp": 1}))

    assert refused(push) == Unsendable("render_error", "A Live Activity push needs aps.event.")


def test_an_unknown_kind_is_refused() -> None:
    assert refused(apns_push(kind="token")).reason == "render_error"


def test_a_devices_topic_comes_before_the_credentials() -> None:
    headers, _ = sent(apns_push(topic="com.other.voip", kind="voip"))

    assert headers["apns-topic"] == "com.other.voip"


def test_without_any_topic_the_certificate_decides() -> None:
    encoded = encode(apns_push(), None)

    assert isinstance(encoded, Encoded)
    assert "apns-topic" not in dict(encoded.headers + encoded.varying)


def test_normal_priority_saves_power() -> None:
    assert sent(apns_push(priority="normal"))[0]["apns-priority"] == "5"


def test_the_callers_collapse_id_is_used() -> None:
    assert sent(apns_push(collapse_id="news"))[0]["apns-collapse-id"] == "news"


@pytest.mark.parametrize(("limit", "kind"), [(4096, "alert"), (5120, "voip")])
@pytest.mark.parametrize("unit", ["x", "é", "🎉"])
def test_the_limit_is_exact_to_the_byte(limit: int, kind: str, unit: str) -> None:
    def of_size(size: int) -> Push:
        empty = encode(apns_push(kind=kind, notification=Notification(body="x")), BUNDLE)
        assert isinstance(empty, Encoded)
        room = size - len(empty.body) + 1
        count, rest = divmod(room, len(unit.encode()))
        return apns_push(kind=kind, notification=Notification(body=unit * count + "x" * rest))

    fits = encode(of_size(limit), BUNDLE)

    assert isinstance(fits, Encoded)
    assert len(fits.body) == limit
    words = f"The APNs payload has {limit + 1} bytes; at most {limit} are allowed."
    assert refused(of_size(limit + 1)) == Unsendable("too_large", words)


def test_the_collapse_id_is_counted_in_bytes() -> None:
    headers, _ = sent(apns_push(collapse_id="é" * 32))

    assert len(headers["apns-collapse-id"].encode()) == 64
    words = "The collapse id has 65 bytes; at most 64 are allowed."
    assert refused(apns_push(collapse_id="é" * 32 + "x")) == Unsendable("too_large", words)


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\x00", "\x7f", "\ud800"])
def test_control_characters_can_not_smuggle_headers(value: str) -> None:
    assert refused(apns_push(collapse_id=value)).reason == "render_error"
    assert refused(apns_push(topic=value)).reason == "render_error"
    assert refused(apns_push(token=value)).reason == "render_error"


@given(
    notification=notifications, collapse_id=collapse_ids, kind=st.sampled_from(["alert", "voip"])
)
def test_what_is_sent_is_valid_and_within_the_limits(
    notification: Notification, collapse_id: str | None, kind: str
) -> None:
    push = apns_push(notification=notification, collapse_id=collapse_id, kind=kind)

    encoded = encode(push, BUNDLE)

    if isinstance(encoded, Unsendable):
        assert encoded.reason in {"too_large", "render_error"}
        return
    body, headers = orjson.loads(encoded.body), dict(encoded.headers + encoded.varying)
    assert len(encoded.body) <= (5120 if kind == "voip" else 4096)
    assert set(notification.data) <= set(body)
    assert body["aps"].keys() <= {"alert", "badge", "sound", "mutable-content", "content-available"}
    assert len(headers.get("apns-collapse-id", "").encode()) <= 64
