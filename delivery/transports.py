"""Which transport carries the pushes of a process."""

from importlib import import_module
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from core.errors import SettingsError
from delivery.http2 import Http2Transport, Options
from delivery.tls.dial import Route
from delivery.transport import Transport

TransportKind = Literal["http2", "sdk"]


def open_transport(
    kind: TransportKind,
    ca_file: Path | None,
    *,
    proxy_url: str | None = None,
    connections: int = 32,
) -> Transport:
    """Open the transport that `CARILLON_TRANSPORT` names; `ca_file` replaces the system's store.

    Raises SettingsError for a proxy that the transport can not use.
    """
    if proxy_url is not None and not _is_proxy(proxy_url):
        # Its words must not hold a part of the password.
        raise SettingsError(
            "CARILLON_GATEWAY_PROXY_URL is not http://[user:password@]host[:port]; in user and "
            "password, /, #, ? and @ are written as %2F, %23, %3F and %40."
        )
    if kind == "http2":
        return Http2Transport(Options(Route(ca_file, proxy_url), connections=connections))
    if proxy_url is not None:
        raise SettingsError("CARILLON_GATEWAY_PROXY_URL needs CARILLON_TRANSPORT=http2.")
    # Loaded late: the SDKs take 45 MB, which no process needs that does not use them.
    transport: Transport = import_module("delivery.sdk").SdkTransport(ca_file)
    return transport


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = parts.scheme == "http" and not (parts.path.strip("/") or parts.query or parts.fragment)
    return plain and bool(parts.hostname) and port != 0
