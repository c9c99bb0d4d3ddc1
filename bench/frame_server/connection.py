"""One connection of the frame server: TLS, the few frames that matter, and what it was told."""

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable

from bench.frame_server import frames

_RECEIVE_OCTETS = 262_144
_WINDOW_OCTETS = 1 << 20
_ABORT_ON_CLOSE = struct.pack("ii", 1, 0)

# Is told of a push that was read whole: stream and body.
Processed = Callable[["Connection", int, bytes], None]


class Connection:
    """Reads pushes and queues answers; field blocks are passed over, never decoded.

    `limit` is the stream limit that was announced last; streams above it are refused once the
    peer knows of it, and before that if `is_strict`.
    """

    def __init__(self, number: int, plain: socket.socket, tls: ssl.SSLContext, limit: int) -> None:
        self.number = number
        self.socket = plain
        self.limit = limit
        self.is_strict = False
        self.is_gone = False
        self.last_id = frames.HIGHEST_STREAM
        self.highest = 0
        self.refused = self.violations = self.beyond = 0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_open = self._is_ending = self._has_ended = self._is_shut = False
        self._unknown_settings = 1
        self._streams: dict[int, bytes] = {}
        self._ignored: set[int] = set()
        self._unread = 0
        self._rest = b""
        self._preface = len(frames.PREFACE)
        self._frames: list[bytes] = []
        self._pending = b""

    @property
    def wants_to_write(self) -> bool:
        """Whether octets wait for the socket."""
        return bool(self._pending)

    @property
    def knows_limit(self) -> bool:
        """Whether the peer has acknowledged every setting."""
        return not self._unknown_settings

    def open_streams(self) -> int:
        """Return how many pushes came at least in part and are not answered."""
        return len(self._streams)

    def receive(self, processed: Processed) -> None:
        """Read what has come and act on it; `is_gone` says afterwards whether that was the end."""
        try:
            data = self.socket.recv(_RECEIVE_OCTETS)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop()
            return
        if self._has_ended:
            # Whatever is still under way was beyond the last stream.
            return
        self._incoming.write(data)
        try:
            if self._is_open or self._shake_hands():
                self._read(self._plain(), processed)
        except ssl.SSLError:
            self.drop()
            return
        self.flush()

    def _shake_hands(self) -> bool:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            self._is_open = True
            self._frames.append(frames.settings(frames.MAX_CONCURRENT_STREAMS, self.limit))
            self._frames.append(frames.window_update(_WINDOW_OCTETS))
        return self._is_open

    def _plain(self) -> bytes:
        parts = [self._rest]
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while part := self._tls.read(65_536):
                parts.append(part)
        return b"".join(parts)

    def _read(self, data: bytes, processed: Processed) -> None:
        at = 0
        if self._preface and len(data) >= self._preface:
            at, self._preface = self._preface, 0
        while len(data) - at >= 9 and not self._preface and not self.is_gone:
            end = at + 9 + (data[at] << 16 | data[at + 1] << 8 | data[at + 2])
            if len(data) < end:
                break
            kind, flags = data[at + 3], data[at + 4]
            stream = int.from_bytes(data[at + 5 : at + 9], "big")
            if kind == frames.DATA:
                self._take(stream, data[at + 9 : end], flags & frames.END_STREAM, processed)
            elif kind == frames.HEADERS:
                self._begin(stream)
            else:
                self._heed(kind, flags, stream, data[at + 9 : end])
            at = end
        self._rest = data[at:]

    def _begin(self, stream: int) -> None:
        if stream > self.last_id:
            self.beyond += 1
            self._ignored.add(stream)
        elif len(self._streams) >= self.limit and (self.knows_limit or self.is_strict):
            self.violations += self.knows_limit
            self.refused += 1
            self._ignored.add(stream)
            self._frames.append(frames.refusal(stream))
        else:
            self._streams[stream] = b""
            self.highest = stream

    def _take(self, stream: int, part: bytes, ends: int, processed: Processed) -> None:
        self._unread += len(part)
        if self._unread > _WINDOW_OCTETS // 2:
            self._frames.append(frames.window_update(self._unread))
            self._unread = 0
        if stream in self._streams:
            body = self._streams[stream] = self._streams[stream] + part
            if ends:
                processed(self, stream, body)
        elif ends:
            self._ignored.discard(stream)

    def _heed(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == frames.SETTINGS:
            if flags & frames.ACK:
                self._unknown_settings -= 1
            else:
                self._frames.append(frames.SETTINGS_ACK)
        elif kind == frames.PING and not flags & frames.ACK:
            self._frames.append(frames.ping_ack(payload))
        elif kind == frames.RST_STREAM:
            self._streams.pop(stream, None)
            self._ignored.discard(stream)

    def answer(self, stream: int, frame: bytes) -> None:
        """Queue the answer to a push, unless the peer has given it up."""
        if self._streams.pop(stream, None) is not None:
            self._frames.append(frame)

    def announce_limit(self, limit: int) -> None:
        """Tell the peer a stream limit; from now on streams above it are refused."""
        self.limit, self.is_strict = limit, True
        self._unknown_settings += 1
        self._frames.append(frames.settings(frames.MAX_CONCURRENT_STREAMS, limit))

    def warn_of_end(self) -> None:
        """Tell the peer that no streams are wanted any more; those under way still count."""
        self._frames.append(frames.goaway(frames.HIGHEST_STREAM))

    def end_after(self, last: int) -> None:
        """Tell the peer which stream is the last; close when those up to it are answered."""
        self.last_id, self._is_ending = last, True
        self._frames.append(frames.goaway(last))
        for stream in [one for one in self._streams if one > last]:
            del self._streams[stream]
            self._ignored.add(stream)

    def flush(self) -> None:
        """Write what is queued, as far as the socket takes it."""
        if self.is_gone:
            return
        if self._is_open and not self._has_ended:
            self._encrypt()
        self._pending += self._outgoing.read()
        try:
            while self._pending:
                self._pending = self._pending[self.socket.send(self._pending) :]
            if self._has_ended and not self._is_shut:
                # The peer reads what is under way, and closes when it has seen the end.
                self._is_shut = True
                self.socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self.drop()

    def _encrypt(self) -> None:
        if self._frames:
            self._tls.write(b"".join(self._frames))
            self._frames.clear()
        if self._is_ending and not self._streams:
            self._has_ended = True
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()

    def abort(self) -> None:
        """Reset the TCP connection: whatever is queued or unread is lost."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE)
        self.drop()

    def drop(self) -> None:
        """Forget the connection; its socket is closed by who watches it."""
        self.is_gone = True
        self._pending = b""
