"""A relay between the platform and one of its servers, to be cut or broken at a chosen moment.

It runs in this process, so a cut is complete when the call returns.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL

_CHUNK = 65_536
_SILENCE_SECONDS = 0.005
# A close that waits for nothing and says RST.
_ABRUPT = struct.pack("ii", 1, 0)

Opener = Callable[[], socket.socket]


@dataclass(slots=True)
class Link:
    """One connection through a relay, from the client to the server."""

    client: socket.socket
    server: socket.socket
    # Set while an answer shall be swallowed, with the connection closed in its stead.
    swallow: bool = False
    is_silent: bool = False
    is_reset: bool = False

    def port(self) -> int:
        """Return the client's own port; 0 when it is gone."""
        try:
            found: int = self.client.getpeername()[1]
        except OSError:
            return 0
        return found

    def reset(self) -> None:
        """End both halves with RST; what is on its way in either direction is lost."""
        self.is_reset = True
        for half in (self.client, self.server):
            with contextlib.suppress(OSError):
                half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPT)
                # Says nothing to the peer, and wakes the thread that reads, which closes.
                half.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """End both halves; who reads from them notices at once."""
        if self.is_reset:
            return
        for half in (self.client, self.server):
            with contextlib.suppress(OSError):
                half.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class Relay:
    """Carries bytes between clients that connect to `listen` and what `connect` opens.

    `judge` sees what a client sends before the server does; it may set `swallow` on the link,
    and closes the link at once by returning False.
    """

    listen: Opener
    connect: Opener
    judge: Callable[[Link, bytes], bool] = lambda _link, _data: True
    _listener: socket.socket | None = None
    _links: list[Link] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def open(self) -> None:
        """Take connections."""
        self._listener = self.listen()
        self._start(self._accept, self._listener)

    def cut(self) -> None:
        """Refuse new connections and end those that are open."""
        if self._listener is not None:
            # Closing alone would leave the thread that accepts asleep.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for link in self._links:
            link.close()
        for thread in self._threads:
            thread.join(10)
        self._links.clear()
        self._threads.clear()

    def links(self, ports: Collection[int] | None = None) -> list[Link]:
        """Return the connections that are open, all or those of clients with these ports."""
        return [link for link in self._links if ports is None or link.port() in ports]

    def lose(self, links: Collection[Link], after_seconds: float) -> None:
        """Let connections fall silent, and reset them after a while; new ones are taken.

        What came from either side meanwhile never arrives.
        """
        for link in links:
            link.is_silent = True
        time.sleep(after_seconds)
        for link in links:
            link.reset()
        self._links = [link for link in self._links if not link.is_reset]

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = self.connect()
            except OSError:
                client.close()
                continue
            link = Link(client, server)
            self._links.append(link)
            self._start(self._up, link)
            self._start(self._down, link)

    def _up(self, link: Link) -> None:
        with link.client, contextlib.suppress(OSError):
            while data := link.client.recv(_CHUNK):
                if not self.judge(link, data) or _is_lost(link):
                    break
                link.server.sendall(data)
        link.close()

    def _down(self, link: Link) -> None:
        with link.server, contextlib.suppress(OSError):
            while data := link.server.recv(_CHUNK):
                if link.swallow or _is_lost(link):
                    break
                link.client.sendall(data)
        link.close()


def _is_lost(link: Link) -> bool:
    """Wait while a link is silent; tell whether what waited with it is lost."""
    while link.is_silent and not link.is_reset:
        time.sleep(_SILENCE_SECONDS)
    return link.is_reset


@contextlib.contextmanager
def relay_to_port(host: str, port: int) -> Iterator[tuple[Relay, int]]:
    """Yield an open relay to a TCP port, and its own port, which stays the same after a cut."""
    with socket.create_server((host, 0)) as first:
        own_port: int = first.getsockname()[1]
    relay = Relay(
        lambda: socket.create_server((host, own_port)),
        lambda: socket.create_connection((host, port)),
    )
    relay.open()
    try:
        yield relay, own_port
    finally:
        relay.cut()


@contextlib.contextmanager
def relay_to_postgres(
    server: URL, folder: Path, judge: Callable[[Link, bytes], bool]
) -> Iterator[Relay]:
    """Yield an open relay to a PostgreSQL, on TCP or on a socket; its own socket is in `folder`."""
    name = ".s.PGSQL.5432"

    def listen() -> socket.socket:
        (folder / name).unlink(missing_ok=True)
        return socket.create_server(str(folder / name), family=socket.AF_UNIX)

    def connect() -> socket.socket:
        if server.host:
            return socket.create_connection((server.host, server.port or 5432))
        link = socket.socket(socket.AF_UNIX)
        link.connect(f"{server.query['host']}/{name}")
        return link

    relay = Relay(listen, connect, judge)
    relay.open()
    try:
        yield relay
    finally:
        relay.cut()
