"""The transport on the SDKs, against a server that misbehaves frame by frame."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.faults.script import Script
from bench.faults.server import FaultServer, Options
from delivery.sdk import SdkTransport

Serve = Callable[..., FaultServer]
Carry = Callable[[FaultServer], SdkTransport]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server with a script; it ends with the test."""
    servers: list[FaultServer] = []

    def start(script: Script | None = None, **options: object) -> FaultServer:
        server = FaultServer(tmp_path, script or Script(), Options(**options))  # type: ignore[arg-type]
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def carry(serve: Serve) -> Iterator[Carry]:
    """Open a transport that trusts a server."""
    transports: list[SdkTransport] = []

    def start(server: FaultServer) -> SdkTransport:
        transports.append(SdkTransport(server.ca))
        return transports[-1]

    yield start
    for transport in transports:
        transport.close()
