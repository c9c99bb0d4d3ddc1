"""Every rule of a request to APNs, as a table."""

import json

import pytest

from delivery.sandbox.apns import Push, line_refusal, push_refusal

TOPIC = "com.example.app"
TOKEN = "0a" * 32
BODY = b'{"aps":{"alert":"Hello"}}'
ALERT = {"apns-topic": TOPIC, "apns-push-type": "alert"}


def _push(
    body: bytes = BODY, token: str = TOKEN, *, certificate: bool = False, **headers: str | None
) -> Push:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in {**ALERT, **given}.items() if value is not None}
    return Push(token, sent, body, frozenset({TOPIC}), certificate)


@pytest.mark.parametrize(
    ("method", "path", "names", "reason"),
    [
        ("POST", "/3/device/" + TOKEN, ["apns-topic"], None),
        ("POST", "/3/devices/" + TOKEN, [], "BadPath"),
        ("POST", "/", [], "BadPath"),
        ("GET", "/3/device/" + TOKEN, [], "MethodNotAllowed"),
        ("POST", "/3/device/" + TOKEN, ["apns-id", "apns-id"], "DuplicateHeaders"),
    ],
)
def test_a_request_line_is_checked_first(
    method: str, path: str, names: list[str], reason: str | None
) -> None:
    assert line_refusal(method, path, names) == reason


@pytest.mark.parametrize(
    ("push", "reason"),
    [
        (_push(), None),
        (_push(apns_push_type=None), None),
        (_push(apns_push_type="banner"), "InvalidPushType"),
        (_push(apns_topic=None), "MissingTopic"),
        (_push(apns_topic="com.example app"), "BadTopic"),
        (_push(apns_topic="com.other.app"), "TopicDisallowed"),
        (_push(apns_topic=TOPIC + ".voip"), "BadTopic"),
        (_push(apns_push_type="voip"), "BadTopic"),
        (_push(apns_push_type="voip", apns_topic=TOPIC + ".voip"), None),
        (_push(apns_push_type="voip", apns_topic="com.other.app.voip"), "TopicDisallowed"),
        (_push(apns_push_type=None, apns_topic=TOPIC + ".voip"), None),
        (_push(apns_push_type=None, apns_topic="com.other.app.voip"), "TopicDisallowed"),
        (_push(apns_push_type="complication", apns_topic=TOPIC + ".complication"), None),
        (_push(apns_push_type="controls", apns_topic=TOPIC + ".push-type.controls"), None),
        (_push(apns_push_type="fileprovider", apns_topic=TOPIC + ".pushkit.fileprovider"), None),
        (_push(apns_push_type="location", apns_topic=TOPIC + ".location-query"), None),
        (
            _push(
                apns_push_type="location", apns_topic=TOPIC + ".location-query", certificate=True
            ),
            "InvalidPushType",
        ),
        (_push(apns_push_type="mdm", apns_topic="com.apple.mgmt.External.1"), None),
        (_push(apns_push_type="pushtotalk", apns_topic=TOPIC + ".voip-ptt"), None),
        (_push(apns_push_type="widgets", apns_topic=TOPIC + ".push-type.widgets"), None),
    ],
)
def test_a_topic_fits_its_push_type_and_key(push: Push, reason: str | None) -> None:
    assert push_refusal(push) == reason


@pytest.mark.parametrize(
    ("push", "reason"),
    [
        (_push(apns_id="0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10"), None),
        (_push(apns_id="0b8e5c1e"), "BadMessageId"),
        (_push(apns_id="0b8e5c1e7c6d4b579a0e3a5d3c1f2b10"), "BadMessageId"),
        (_push(apns_expiration="0"), None),
        (_push(apns_expiration="1795360000"), None),
        (_push(apns_expiration="-1"), "BadExpirationDate"),
        (_push(apns_expiration="soon"), "BadExpirationDate"),
        (_push(apns_priority="10"), None),
        (_push(apns_priority="5"), None),
        (_push(apns_priority="1"), None),
        (_push(apns_priority="7"), "BadPriority"),
        (_push(b"{}x", apns_priority="10", apns_push_type="background"), "BadPriority"),
        (_push(b'{"aps":{"content-available":1}}', apns_push_type="background"), None),
        (_push(apns_push_type="background", apns_priority="5"), "InvalidPushType"),
        (
            _push(
                apns_push_type="liveactivity",
                apns_topic=TOPIC + ".push-type.liveactivity",
                apns_priority="1",
            ),
            "BadPriority",
        ),
        (_push(apns_collapse_id="c" * 64), None),
        (_push(apns_collapse_id="c" * 65), "BadCollapseId"),
        (_push(apns_collapse_id="é" * 33), "BadCollapseId"),
    ],
)
def test_each_header_is_checked(push: Push, reason: str | None) -> None:
    assert push_refusal(push) == reason


def _of_size(size: int) -> bytes:
    frame = len(json.dumps({"aps": {"alert": ""}}))
    return json.dumps({"aps": {"alert": "a" * (size - frame)}}).encode()


def _voip(size: int) -> Push:
    return _push(_of_size(size), apns_push_type="voip", apns_topic=TOPIC + ".voip")


@pytest.mark.parametrize(
    ("push", "reason"),
    [
        (_push(b""), "PayloadEmpty"),
        (_push(b"{}"), "PayloadEmpty"),
        (_push(b"[1]"), "PayloadEmpty"),
        (_push(b"\x1f\x8b"), "PayloadEmpty"),
        (_push(content_encoding="gzip"), "PayloadEmpty"),
        (_push(_of_size(4096)), None),
        (_push(_of_size(4097)), "PayloadTooLarge"),
        (_voip(5120), None),
        (_voip(5121), "PayloadTooLarge"),
        (_push('{"aps":{"alert":"é"}}'.encode()), None),
    ],
)
def test_the_payload_is_counted_as_sent(push: Push, reason: str | None) -> None:
    assert push_refusal(push) == reason


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("0a" * 32, None),
        ("0a" * 100, None),
        ("0A" * 32, None),
        ("", "MissingDeviceToken"),
        ("0a" * 31, "BadDeviceToken"),
        ("0a" * 32 + "0", "BadDeviceToken"),
        ("zz" * 32, "BadDeviceToken"),
        ("0a" * 201, "BadDeviceToken"),
    ],
)
def test_a_device_token_is_hex_of_whole_bytes(token: str, reason: str | None) -> None:
    assert push_refusal(_push(token=token)) == reason


def test_a_certificate_for_one_app_supplies_the_topic() -> None:
    push = _push(apns_topic=None, certificate=True)

    assert push.topic() == TOPIC
    assert push_refusal(push) is None


def test_a_key_without_topics_may_use_any() -> None:
    push = Push(TOKEN, {"apns-topic": "org.any.app"}, BODY)

    assert push_refusal(push) is None
