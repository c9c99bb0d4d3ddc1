"""How each transport under trial is made, and which shape of request it carries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from delivery.http2 import Http2Transport, Options
from delivery.sdk import SdkTransport
from delivery.tls.dial import Route
from delivery.transport import Transport
from tests.http2.behaviours.driving import Shape, apns_request, fcm_request

Maker = Callable[..., Transport]


def make_http2(ca: Path | None, **settings: Any) -> Transport:
    """Our own sender core; settings are those of `Options`, and `proxy_url`."""
    route = Route(ca, settings.pop("proxy_url", None))
    return Http2Transport(Options(route, **settings))


def make_sdk(ca: Path | None, **_settings: Any) -> Transport:
    """The SDKs; they have no settings like ours."""
    return SdkTransport(ca)


MAKERS: dict[str, Maker] = {
    "http2": make_http2,
    "sdk": make_sdk,
    "aioapns": make_sdk,
    "firebase-admin": make_sdk,
}
SHAPES: dict[str, Shape] = {
    "http2": apns_request,
    "sdk": apns_request,
    "aioapns": apns_request,
    "firebase-admin": fcm_request,
}
