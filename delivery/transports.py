"""Which transport carries the pushes of a process."""

from pathlib import Path
from typing import Literal

from delivery.http2 import Http2Transport, Options
from delivery.tls.dial import Route
from delivery.transport import Transport

TransportKind = Literal["http2", "sdk"]


def open_transport(kind: TransportKind, ca_file: Path | None) -> Transport:
    """Open the transport that `CARILLON_TRANSPORT` names; `ca_file` replaces the system's store."""
    if kind == "http2":
        return Http2Transport(Options(Route(ca_file)))
    # The SDKs take 45 MB, which no process needs that does not use them.
    from delivery.sdk import SdkTransport  # noqa: PLC0415

    return SdkTransport(ca_file)
