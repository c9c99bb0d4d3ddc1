"""The sink: takes any push that names a token and has a body, and keeps 8-byte hashes of it.

It skips every rule, so that a benchmark measures the sender and not the gateway.
"""

from typing import Any

import orjson

from delivery.sandbox import apns
from delivery.sandbox.answer import JSON_HEADERS
from delivery.sandbox.profile import Profile, draw, latency_seconds
from delivery.sandbox.record import Record, pair_hash

# Provider, status, headers, body, seconds to wait: a tuple, as this is the hottest path.
Sunk = tuple[str, int, list[tuple[str, str]], bytes, float]

_FCM_HEADERS = list(JSON_HEADERS)
_FCM_BODY = b'{"name":"projects/sink/messages/0:1"}'
_UNREADABLE: Sunk = ("sink", 400, [], b"", 0.0)


def sink(record: Record, profile: Profile, path: str, headers: Any, body: bytes) -> Sunk:
    """Record one push as accepted; answers 400 when token or message cannot be found."""
    try:
        if path.startswith(apns.PATH):
            provider, token = "apns", path[len(apns.PATH) :]
            message = headers.get("apns-id") or headers.get("apns-collapse-id") or ""
            answer, content = [("apns-id", message)] if message else [], b""
        else:
            provider = "fcm"
            token, message = _fcm_names(body, profile.message_keys)
            answer, content = _FCM_HEADERS, _FCM_BODY
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return _UNREADABLE
    pair = pair_hash(token, message)
    record.accept(pair, body)
    if profile.latency is None:
        return provider, 200, answer, content, 0.0
    wait = latency_seconds(profile.latency, draw(profile.seed, 1, pair))
    return provider, 200, answer, content, wait


def _fcm_names(body: bytes, keys: tuple[str, ...]) -> tuple[str, str]:
    message = orjson.loads(body)["message"]
    token = message.get("token") or message["fid"]
    data = message.get("data") or message["android"]["data"]
    for key in keys:
        if key in data:
            return token, data[key]
    raise LookupError(keys)
