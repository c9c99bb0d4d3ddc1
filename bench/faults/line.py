"""One TLS connection of the fault server as bytes, and the ways in which it can break."""

import contextlib
import selectors
import socket
import ssl
import struct
from collections.abc import Callable

from bench.faults.loop import Loop

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_ABORT_ON_CLOSE = struct.pack("ii", 1, 0)
_READ_BYTES = 65_536


class Line:
    """Reads and writes without blocking; `took` gets what was read, b"" at the peer's end."""

    def __init__(
        self,
        loop: Loop,
        sock: ssl.SSLSocket,
        shaken: Callable[[str], None],
        took: Callable[[bytes], None],
    ) -> None:
        self.socket = sock
        self._loop = loop
        self._shaken = shaken
        self._took = took
        self._out = bytearray()
        self._ready: Callable[[int], None] = self._shake
        self._wanted = READ
        self._is_stalled = False
        self.closed = False
        sock.settimeout(0)
        loop.watch(sock, READ, self._on_ready)

    def write(self, data: bytes) -> None:
        """Send bytes, now or when there is room."""
        if not self.closed:
            self._out += data
            self._flush()

    def stall(self) -> None:
        """Become a black hole: neither read nor write any more, and close nothing."""
        self._is_stalled = True
        self._watch(self._wanted)

    def resume(self) -> None:
        """End a stall."""
        self._is_stalled = False
        self._watch(self._wanted)
        # TLS may hold bytes that no selector tells of.
        self._loop.later(0, lambda: self._on_ready(READ | WRITE))

    def half_close(self) -> None:
        """Send FIN and go on reading."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Send what is due, say goodbye in TLS, then FIN."""
        if self.closed:
            return
        self._flush()
        with contextlib.suppress(OSError, ValueError):
            self.socket.unwrap()
        self._end()

    def reset(self) -> None:
        """Send RST: what the peer has not read yet is lost to it."""
        if self.closed:
            return
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE)
        self._end()

    def _end(self) -> None:
        self.closed = True
        self._loop.watch(self.socket, 0, self._on_ready)
        self.socket.close()

    def _watch(self, events: int) -> None:
        self._wanted = events
        if not self.closed:
            self._loop.watch(self.socket, 0 if self._is_stalled else events, self._on_ready)

    def _on_ready(self, events: int) -> None:
        self._ready(events)

    def _shake(self, _events: int) -> None:
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        except OSError as error:
            self._end()
            self._shaken(str(error) or type(error).__name__)
        else:
            self._ready = self._serve
            self._watch(READ)
            self._shaken("")

    def _serve(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        while not self.closed and not self._is_stalled:
            try:
                data = self.socket.recv(_READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                data = b""
            if not data:
                self._end()
            self._took(data)

    def _flush(self) -> None:
        while self._out and not self._is_stalled and not self.closed:
            try:
                sent = self.socket.send(self._out)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._watch(READ | WRITE)
                return
            except OSError:
                self._out.clear()
                return
            del self._out[:sent]
        if not self.closed:
            self._watch(READ)
