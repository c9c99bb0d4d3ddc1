"""Serving: two granian listeners in one process and one event loop, so that they share state."""

import asyncio
import contextlib
import gc
import ipaddress
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvloop
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP2Settings
from granian.server.embed import Server

from delivery.sandbox.app import App
from delivery.sandbox.authority import AuthorityFiles, make_authority
from delivery.sandbox.gateway import Gateway
from delivery.sandbox.profile import Profile

_STOP_SECONDS = 0.5
_PARENT_SECONDS = 0.5
_READY_LOOKS, _LOOK_SECONDS = 1000, 0.02


@dataclass(frozen=True, slots=True)
class Options:
    """How to listen; a port of 0 is a free one, and no certificate port means no such listener."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    mtls_port: int | None = None
    names: tuple[str, ...] = ()
    control: bool = True
    keep_authority: bool = False
    end_with_parent: bool = False
    max_concurrent_streams: int = 1000
    initial_window: int = 65_535
    max_headers_size: int = 16_384
    profile: Profile = field(default_factory=Profile)

    @property
    def ready_file(self) -> Path:
        """The file that appears, with the ports in it, once the sandbox answers."""
        return self.folder / "ready.json"


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT."""
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options.ready_file.unlink(missing_ok=True)
    if not (options.keep_authority and AuthorityFiles(options.folder).ca.exists()):
        make_authority(options.folder, options.names)
    # Requests make many short-lived objects and no cycles; full collections only cost time.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    uvloop.run(_serve(options))


async def _serve(options: Options) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    gateway = Gateway(options.folder, options.profile)
    ports = [options.port or _free_port(options.host)]
    if options.mtls_port is not None:
        ports.append(options.mtls_port or _free_port(options.host))
    servers = []
    for port, certificate in zip(ports, (False, True), strict=False):
        app = App(gateway, stopping, certificate=certificate, control=options.control)
        servers.append(_server(app, options, port, certificate=certificate))
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    code = 1
    try:
        await _announce(options, ports)
        waits = [asyncio.create_task(stopping.wait()), *tasks]
        if options.end_with_parent:
            waits.append(asyncio.create_task(_outlive(os.getppid(), stopping)))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        code = 0 if stopping.is_set() else 1
    except TimeoutError:
        sys.stderr.write(f"no answer on {options.host}, ports {ports}\n")
    options.ready_file.unlink(missing_ok=True)
    stopping.set()
    await _stop(servers, tasks)
    gateway.record.close()
    # An idle client may keep its connection, and with it granian's threads, for hours.
    os._exit(code)


async def _outlive(parent: int, stopping: asyncio.Event) -> None:
    """Stop the sandbox when its parent is gone, however that ended."""
    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _PARENT_SECONDS)
            return
    stopping.set()


def _server(app: App, options: Options, port: int, *, certificate: bool) -> Server:
    files = AuthorityFiles(options.folder)
    return Server(
        app,
        address=options.host,
        port=port,
        interface=Interfaces.RSGI,
        websockets=False,
        backlog=4096,
        backpressure=65_536,
        http2_settings=HTTP2Settings(
            initial_connection_window_size=max(options.initial_window, 1 << 20),
            initial_stream_window_size=options.initial_window,
            max_concurrent_streams=options.max_concurrent_streams,
            max_headers_size=options.max_headers_size,
        ),
        log_enabled=False,
        ssl_cert=files.server,
        ssl_key=files.server_key,
        ssl_protocol_min=SSLProtocols.tls12,
        ssl_ca=files.ca if certificate else None,
        ssl_client_verify=certificate,
    )


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


async def _announce(options: Options, ports: list[int]) -> None:
    """Write the ready file once every port takes connections; raises TimeoutError."""
    for port in ports:
        for _ in range(_READY_LOOKS):
            if await _answers(options.host, port):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            raise TimeoutError
    main, *rest = ports
    ready = {
        "pid": os.getpid(),
        "host": options.host,
        "port": main,
        "mtls_port": rest[0] if rest else None,
        "ca": str(AuthorityFiles(options.folder).ca),
    }
    partial = options.ready_file.with_suffix(".part")
    partial.write_bytes(orjson.dumps(ready))
    partial.replace(options.ready_file)


async def _answers(host: str, port: int) -> bool:
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _stop(servers: list[Server], tasks: list[asyncio.Task[None]]) -> None:
    """Say goodbye on every connection and let requests under way be answered, within a limit."""
    for server in servers:
        server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait(tasks, timeout=_STOP_SECONDS)
