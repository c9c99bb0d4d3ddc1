"""A TLS connection that knows which of its bytes have left for good."""

import socket
import ssl
from collections import deque

_RECORD = 16_384
_READ = 262_144
_CONGESTED = 65_536
# What we answer to floods of a peer that does not read.
_MOST_PENDING = 8_388_608
_TLS_FAILED = "TLS failed: "


class Wire:
    """A TLS client on a non-blocking socket, joined by memory buffers.

    A peer can read a record of TLS only when it has all of it. So `written` counts the plain
    bytes of those records that the kernel took whole: what lies behind can not have arrived.
    `fault` says why nothing more will come, in words.
    """

    def __init__(
        self, plain: socket.socket, tls: ssl.SSLObject, buffers: tuple[ssl.MemoryBIO, ssl.MemoryBIO]
    ) -> None:
        self.socket = plain
        self.written = 0
        self.fault = ""
        self._tls = tls
        self._incoming, self._outgoing = buffers
        self._pending = b""
        self._encrypted = self._left = self._plain = 0
        self._records: deque[tuple[int, int]] = deque()

    def congested(self) -> bool:
        """Tell whether more would only wait here."""
        return len(self._pending) > _CONGESTED

    def unsent(self) -> bool:
        """Tell whether bytes wait for the socket."""
        return bool(self._pending)

    def send(self, data: bytes) -> None:
        """Encrypt `data` and write as much as the socket takes."""
        try:
            self._encrypt(data)
            sent = self.socket.send(self._pending) if self._pending else 0
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._fail(f"connection lost: {error.strerror}")
            return
        self._pending = self._pending[sent:]
        if len(self._pending) > _MOST_PENDING:
            self._fail("connection lost: the gateway does not read")
        self._left += sent
        while self._records and self._records[0][0] <= self._left:
            self.written = self._records.popleft()[1]

    def _encrypt(self, data: bytes) -> None:
        # What TLS itself has to say goes first.
        parts = [self._pending, self._outgoing.read()]
        self._encrypted += len(parts[1])
        for at in range(0, len(data), _RECORD):
            self._plain += self._tls.write(data[at : at + _RECORD])
            parts.append(self._outgoing.read())
            self._encrypted += len(parts[-1])
            self._records.append((self._encrypted, self._plain))
        self._pending = b"".join(parts)

    def receive(self) -> bytes:
        """Return what has come; sets `fault` when it was the last."""
        try:
            data = self.socket.recv(_READ)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._fail(f"connection lost: {error.strerror}")
            return b""
        if not data:
            self._fail("connection closed by the gateway")
        self._incoming.write(data)
        parts = []
        try:
            while part := self._tls.read(_READ):
                parts.append(part)
            self._fail("connection closed by the gateway")
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            # An alert says more than a write that failed before it was read.
            if not self.fault.startswith(_TLS_FAILED):
                self.fault = f"{_TLS_FAILED}{error.reason}"
        return b"".join(parts)

    def _fail(self, words: str) -> None:
        # Only the first fault is one; the others come of it.
        self.fault = self.fault or words

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
