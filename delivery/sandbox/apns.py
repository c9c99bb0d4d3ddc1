"""The rules of a request to APNs, pure: headers, topic and payload in, a reason or None out.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
Apple publishes no order of checks; here authentication comes first, between the two functions.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

PATH = "/3/device/"
_SUFFIXES = {
    "alert": "",
    "background": "",
    "complication": ".complication",
    "controls": ".push-type.controls",
    "fileprovider": ".pushkit.fileprovider",
    "liveactivity": ".push-type.liveactivity",
    "location": ".location-query",
    "mdm": "",
    "pushtotalk": ".voip-ptt",
    "voip": ".voip",
    "widgets": ".push-type.widgets",
}
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_TOPIC = re.compile(r"[A-Za-z0-9.-]{1,255}")
_TOKEN = re.compile(r"([0-9a-f]{2}){32,200}", re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]{1,18}")
_VISIBLE = frozenset({"alert", "badge", "sound"})


@dataclass(frozen=True, slots=True)
class Push:
    """A request whose sender is known: ``topics`` are the bundle ids it may use, none means all."""

    token: str
    headers: Mapping[str, str]
    body: bytes
    topics: frozenset[str] = frozenset()
    certificate: bool = False

    @property
    def push_type(self) -> str:
        """The push type, or nothing when the sender left it out."""
        return self.headers.get("apns-push-type", "")

    def topic(self) -> str | None:
        """Return the topic; a certificate for one app supplies it when the header is absent."""
        topic = self.headers.get("apns-topic")
        if topic is None and self.certificate and len(self.topics) == 1:
            return next(iter(self.topics))
        return topic


def line_refusal(method: str, path: str, names: list[str]) -> str | None:
    """Name what is wrong with path, method or header names, before anybody is authenticated."""
    if not path.startswith(PATH):
        return "BadPath"
    if method != "POST":
        return "MethodNotAllowed"
    if len(set(names)) != len(names):
        return "DuplicateHeaders"
    return None


def push_refusal(push: Push) -> str | None:
    """Name the first thing that is wrong with a push of a known sender."""
    for rule in _RULES:
        reason = rule(push)
        if reason is not None:
            return reason
    return None


def _push_type(push: Push) -> str | None:
    known = not push.push_type or push.push_type in _SUFFIXES
    location_by_certificate = push.push_type == "location" and push.certificate
    return None if known and not location_by_certificate else "InvalidPushType"


def _topic(push: Push) -> str | None:
    topic = push.topic()
    if not topic:
        return "MissingTopic"
    if not _TOPIC.fullmatch(topic):
        return "BadTopic"
    if not push.push_type:
        possible = {topic.removesuffix(suffix) for suffix in _SUFFIXES.values()}
        return None if not push.topics or possible & push.topics else "TopicDisallowed"
    suffix = _SUFFIXES[push.push_type]
    if not topic.endswith(suffix):
        return "BadTopic"
    return _bundle_refusal(topic.removesuffix(suffix), push)


def _bundle_refusal(bundle: str, push: Push) -> str | None:
    if not push.topics or bundle in push.topics or push.push_type == "mdm":
        return None
    bare = {bundle.removesuffix(suffix) for suffix in _SUFFIXES.values()}
    return "BadTopic" if bare & push.topics else "TopicDisallowed"


def _message_id(push: Push) -> str | None:
    apns_id = push.headers.get("apns-id")
    return None if apns_id is None or _UUID.fullmatch(apns_id) else "BadMessageId"


def _expiration(push: Push) -> str | None:
    expiration = push.headers.get("apns-expiration")
    return None if expiration is None or _SECONDS.fullmatch(expiration) else "BadExpirationDate"


def _priority(push: Push) -> str | None:
    priority = push.headers.get("apns-priority")
    allowed = {"background": ("5", "1"), "liveactivity": ("10", "5")}
    fine = priority is None or priority in allowed.get(push.push_type, ("10", "5", "1"))
    return None if fine else "BadPriority"


def _collapse_id(push: Push) -> str | None:
    return "BadCollapseId" if len(push.headers.get("apns-collapse-id", "").encode()) > 64 else None


def _payload(push: Push) -> str | None:
    if not push.body or "content-encoding" in push.headers:
        return "PayloadEmpty"
    if len(push.body) > (5120 if push.push_type == "voip" else 4096):
        return "PayloadTooLarge"
    try:
        payload: Any = orjson.loads(push.body)
    except orjson.JSONDecodeError:
        return "PayloadEmpty"
    if not isinstance(payload, dict) or not payload:
        return "PayloadEmpty"
    aps = payload.get("aps")
    if push.push_type == "background" and isinstance(aps, dict) and _VISIBLE & aps.keys():
        return "InvalidPushType"
    return None


def _device_token(push: Push) -> str | None:
    if not push.token:
        return "MissingDeviceToken"
    return None if _TOKEN.fullmatch(push.token) else "BadDeviceToken"


_RULES: tuple[Callable[[Push], str | None], ...] = (
    _push_type,
    _topic,
    _message_id,
    _expiration,
    _priority,
    _collapse_id,
    _payload,
    _device_token,
)
