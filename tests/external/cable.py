"""A network cable on loopback: forwards TCP, and can be pulled out or fall silent."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from typing import Literal

HOST = "127.0.0.1"
_LOOK_SECONDS = 0.05
_PIECE = 65_536


class Cable:
    """Forwards connections to one address.

    `cut` closes all connections and refuses new ones; `silence` keeps and accepts them but moves
    not a byte, as a firewall does; `mend` works again, after which silent connections are closed.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._state: Literal["whole", "cut", "silent"] = "whole"
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._closed = threading.Event()
        self._changed = threading.Lock()
        self._door = _listen(0)
        self.port = int(self._door.getsockname()[1])
        self._selector.register(self._door, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="cable", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Close all connections and refuse new ones."""
        with self._changed:
            self._state = "cut"
            self._selector.unregister(self._door)
            self._door.close()
            self._drop_all()

    def silence(self) -> None:
        """Move no byte from now on, and tell nobody."""
        with self._changed:
            self._state = "silent"

    def mend(self) -> None:
        """Work again, at the same port."""
        with self._changed:
            if self._state == "cut":
                self._door = _listen(self.port)
                self._selector.register(self._door, selectors.EVENT_READ)
            self._drop_all()
            self._state = "whole"

    @property
    def connections(self) -> int:
        """How many connections pass through it."""
        return len(self._pairs) // 2

    def close(self) -> None:
        """End the thread and every connection."""
        self._closed.set()
        self._thread.join(10)
        with self._changed:
            self._drop_all()
            self._door.close()
            self._selector.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            ready = self._selector.select(_LOOK_SECONDS)
            with self._changed:
                if self._state != "whole":
                    # What arrives stays in the kernel, as in a network that swallows it.
                    self._closed.wait(_LOOK_SECONDS)
                    continue
                for key, _ in ready:
                    self._serve(key.fileobj)

    def _serve(self, source: object) -> None:
        if source is self._door:
            self._accept()
        elif isinstance(source, socket.socket) and source in self._pairs:
            self._forward(source)

    def _accept(self) -> None:
        near, _ = self._door.accept()
        try:
            far = socket.create_connection(self._target, 5)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _forward(self, source: socket.socket) -> None:
        target = self._pairs[source]
        try:
            piece = source.recv(_PIECE)
            if piece:
                target.sendall(piece)
                return
        except OSError:
            pass
        self._drop(source, target)

    def _drop(self, *ends: socket.socket) -> None:
        for end in ends:
            if self._pairs.pop(end, None) is not None:
                self._selector.unregister(end)
            end.close()

    def _drop_all(self) -> None:
        self._drop(*list(self._pairs))


def _listen(port: int) -> socket.socket:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((HOST, port))
    door.listen(128)
    return door


@contextlib.contextmanager
def cable_to(host: str, port: int) -> Iterator[Cable]:
    """Yield a cable to an address."""
    cable = Cable(host, port)
    try:
        yield cable
    finally:
        cable.close()
