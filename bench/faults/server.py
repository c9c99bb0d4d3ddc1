"""The fault server: TLS on loopback, scripted per connection and request, with a record."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from bench.faults.connection import FaultConnection
from bench.faults.line import READ, Line
from bench.faults.loop import Loop
from bench.faults.record import Record
from bench.faults.script import Script
from delivery.sandbox.authority import AuthorityFiles, make_authority

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How to listen. `certificate` and `key` replace those of the authority in the folder."""

    host: str = "127.0.0.1"
    port: int = 0
    alpn: bool = True
    oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    certificate: Path | None = None
    key: Path | None = None
    wants_client_certificate: bool = False
    keep: bool = True


class FaultServer:
    """Serves until closed. `script` may be replaced at any time: open connections follow."""

    def __init__(self, folder: Path, script: Script, options: Options | None = None) -> None:
        self.options = options or Options()
        self.files = AuthorityFiles(folder)
        if not self.files.ca.exists():
            folder.mkdir(parents=True, exist_ok=True)
            make_authority(folder)
        self.record = Record(keep=self.options.keep)
        self.connections: list[FaultConnection] = []
        self._script = script
        self.loop = Loop()
        self._context = make_context(self.files, self.options)
        family = socket.AF_INET6 if ":" in self.options.host else socket.AF_INET
        self._listener = socket.create_server(
            (self.options.host, self.options.port), family=family, backlog=1024
        )
        self._listener.settimeout(0)
        self.port = int(self._listener.getsockname()[1])
        self.loop.call(self._listen)

    @property
    def ca(self) -> Path:
        """The authority that clients have to trust."""
        return self.files.ca

    @property
    def url(self) -> str:
        """The address as a URL, without a path."""
        host = self.options.host
        return f"https://[{host}]:{self.port}" if ":" in host else f"https://{host}:{self.port}"

    @property
    def script(self) -> Script:
        """What is done at each turn."""
        return self._script

    @script.setter
    def script(self, script: Script) -> None:
        def change() -> None:
            self._script = script
            for connection in self.connections:
                connection.script = script

        self.loop.call(change)

    def call(self, wanted: Callable[[], T]) -> T:
        """Run something on the server's thread, and return what it returns."""
        return self.loop.call(wanted)

    def serve_with(self, options: Options) -> None:
        """Use other TLS options for connections from now on; host and port stay."""
        context = make_context(self.files, options)
        self._context = context

    def each(self, act: Callable[[FaultConnection], object]) -> None:
        """Do something to every open connection."""

        def run() -> None:
            for connection in list(self.connections):
                if connection.entry.closed_at is None:
                    act(connection)

        self.loop.call(run)

    def refuse_connections(self) -> None:
        """Stop listening; open connections stay."""
        self.loop.call(self._hang_up)

    def close(self) -> None:
        """Drop all connections and end; raise what a script raised."""
        self.loop.call(self._hang_up)
        self.each(lambda connection: connection.reset())
        self.loop.stop()
        if self.loop.errors:
            raise self.loop.errors[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        self.loop.watch(self._listener, READ, self._accept)

    def _hang_up(self) -> None:
        if self._listener.fileno() >= 0:
            self.loop.watch(self._listener, 0, self._accept)
            self._listener.close()

    def _accept(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                plain, _ = self._listener.accept()
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._start(plain)

    def _start(self, plain: socket.socket) -> None:
        plain.settimeout(0)
        sock = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        entry = self.record.connect()
        connection = FaultConnection(self.loop, self.record, self._script, entry)
        self.connections.append(connection)

        def shaken(fault: str) -> None:
            if not fault:
                entry.shaken(sock.version() or "", sock.selected_alpn_protocol())
            connection.shaken(fault)

        connection.line = Line(self.loop, sock, shaken, connection.took)


def make_context(files: AuthorityFiles, options: Options) -> ssl.SSLContext:
    """Return the TLS side of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = options.certificate or files.server
    context.load_cert_chain(certificate, options.key or files.server_key)
    context.minimum_version, context.maximum_version = options.oldest, options.newest
    if options.alpn:
        context.set_alpn_protocols(["h2"])
    if options.wants_client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.ca)
    return context


@contextlib.contextmanager
def serving(
    folder: Path, script: Script | None = None, options: Options | None = None
) -> Iterator[FaultServer]:
    """Run a server for the length of a block."""
    server = FaultServer(folder, script or Script(), options)
    try:
        yield server
    finally:
        server.close()
