"""The sink: takes any push that names a token and has a body, and keeps 8-byte hashes of it.

It skips every rule but a project's quota, so that a benchmark measures the sender and not the
gateway.
"""

from typing import Any

import orjson

from delivery.sandbox import apns
from delivery.sandbox.answer import JSON_HEADERS
from delivery.sandbox.fcm import SEND_PATH
from delivery.sandbox.gateway import Gateway, fcm_answer
from delivery.sandbox.outcomes import OUTCOMES
from delivery.sandbox.profile import draw, latency_seconds
from delivery.sandbox.record import pair_hash

# Provider, status, label, headers, body, seconds to wait: a tuple, as this is the hottest path.
Sunk = tuple[str, int, str, list[tuple[str, str]], bytes, float]

_FCM_HEADERS = list(JSON_HEADERS)
_FCM_BODY = b'{"name":"projects/sink/messages/0:1"}'
_UNREADABLE: Sunk = ("sink", 400, "unreadable", [], b"", 0.0)


def sink(gateway: Gateway, path: str, headers: Any, body: bytes) -> Sunk:
    """Record one push as accepted; answers 400 when token or message cannot be found."""
    profile = gateway.profile
    try:
        if path.startswith(apns.PATH):
            provider, token = "apns", path[len(apns.PATH) :]
            message = headers.get("apns-id") or headers.get("apns-collapse-id") or ""
            answer, content = [("apns-id", message)] if message else [], b""
        else:
            if profile.fcm_quota_per_minute is not None:
                late = _beyond_quota(gateway, path, profile.fcm_quota_per_minute)
                if late is not None:
                    return late
            provider = "fcm"
            token, message = _fcm_names(body, profile.message_keys)
            answer, content = _FCM_HEADERS, _FCM_BODY
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return _UNREADABLE
    pair = pair_hash(token, message)
    gateway.record.accept(pair, body)
    if token.startswith(profile.timed_tokens):
        gateway.record.note_arrival(token, message, gateway.now())
    if profile.latency is None:
        return provider, 200, "accepted", answer, content, 0.0
    wait = latency_seconds(profile.latency, draw(profile.seed, 1, pair))
    return provider, 200, "accepted", answer, content, wait


def _beyond_quota(gateway: Gateway, path: str, limit: int) -> Sunk | None:
    match, now = SEND_PATH.fullmatch(path), gateway.now()
    window = gateway.profile.fcm_quota_window_seconds
    if match is None or gateway.quotas.take(match[1], limit, window, now):
        return None
    left = (("retry-after", str(gateway.quotas.left_seconds(match[1], window, now))),)
    answer = fcm_answer(OUTCOMES["rate_limit_exceeded"], left)
    return "fcm", answer.status, answer.label, list(answer.headers), answer.body, 0.0


def _fcm_names(body: bytes, keys: tuple[str, ...]) -> tuple[str, str]:
    message = orjson.loads(body)["message"]
    token = message.get("token") or message["fid"]
    data = message.get("data") or message["android"]["data"]
    for key in keys:
        if key in data and isinstance(token, str) and isinstance(data[key], str):
            return token, data[key]
    raise LookupError(keys)
