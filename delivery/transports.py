"""Which transport carries the pushes of a process."""

from importlib import import_module
from pathlib import Path
from typing import Literal

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
    if proxy_url is not None and not proxy_url.startswith("http://"):
        raise SettingsError("CARILLON_GATEWAY_PROXY_URL must begin with http://.")
    if kind == "http2":
        return Http2Transport(Options(Route(ca_file, proxy_url), connections=connections))
    if proxy_url is not None:
        raise SettingsError("CARILLON_GATEWAY_PROXY_URL needs CARILLON_TRANSPORT=http2.")
    # Loaded late: the SDKs take 45 MB, which no process needs that does not use them.
    transport: Transport = import_module("delivery.sdk").SdkTransport(ca_file)
    return transport
