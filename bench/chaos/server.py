"""A TLS server whose frames are right, odd, wrong or noise, and which keeps a record of it all."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.chaos import noise
from bench.chaos.parsing import PREFACE_BYTES, Frame, Said, read_frames, read_server
from bench.faults import raw
from delivery.sandbox.authority import AuthorityFiles, make_authority

_ABORT_ON_CLOSE = struct.pack("ii", 1, 0)
_PATIENCE_SECONDS = 20.0
_LONGEST_STALL_SECONDS = 1.0


@dataclass(slots=True)
class Seen:
    """One connection: the number of each request that was read whole, and what was said."""

    whole: dict[int, int] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    out: bytearray = field(default_factory=bytearray)

    def said(self) -> Said:
        """Return what was said, or was about to be."""
        return read_server(bytes(self.out))


class ChaosServer:
    """Serves until closed, one thread per connection; what each does is drawn from its seed."""

    def __init__(self, folder: Path, seed: str) -> None:
        make_authority(folder)
        files = AuthorityFiles(folder)
        self.ca = files.ca
        self.seen: list[Seen] = []
        self._seed = seed
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(files.server, files.server_key)
        self._tls.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                plain.settimeout(_PATIENCE_SECONDS)
                seen = Seen()
                self.seen.append(seen)
                name = f"{self._seed}-{len(self.seen)}"
                thread = threading.Thread(target=self._serve, args=(plain, seen, name), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket, seen: Seen, name: str) -> None:
        random = Random(name)  # noqa: S311 - chance, no secret.
        with plain, contextlib.suppress(OSError):
            if random.random() < 0.03:
                plain.sendall(random.randbytes(100))
                return
            with self._tls.wrap_socket(plain, server_side=True) as tls:
                _Speaker(tls, seen, random).converse()

    def close(self) -> None:
        """Stop listening and wait until every connection has been read to its end."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(_PATIENCE_SECONDS)
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)


class _Speaker:
    """One connection: reads all frames naively, and does to each request what chance says."""

    def __init__(self, tls: ssl.SSLSocket, seen: Seen, random: Random) -> None:
        self._tls = tls
        self._seen = seen
        self._random = random
        self._window = random.choice((0, 100, 65_535, 65_535))
        self._open: list[int] = []
        self._rest = b""
        self._preface = PREFACE_BYTES
        # How many requests it serves before it does harm to the whole connection.
        self._harmless = random.choice((0, 20, 100, 500, 500, 500))

    def converse(self) -> None:
        """Serve until either side ends."""
        if self._random.random() < 0.05:
            self._say(noise.any_frame(self._random, []))
        self._say(noise.settings((3, self._random.choice((1, 5, 100, 1_000))), (4, self._window)))
        while data := self._tls.recv(65_536):
            self._rest += data
            if len(self._rest) >= self._preface:
                self._rest, self._preface = self._rest[self._preface :], 0
                self._read()

    def _read(self) -> None:
        at = 0
        for frame in read_frames(self._rest):
            at += 9 + len(frame.payload)
            self._take(frame)
        self._rest = self._rest[at:]

    def _take(self, frame: Frame) -> None:
        if frame.kind == raw.HEADERS:
            self._open.append(frame.stream)
            if self._window < 10_000:
                self._say(noise.window(frame.stream, 10_000))
        elif frame.kind == raw.PING and not frame.flags & raw.ACK:
            self._say(raw.frame(raw.PING, raw.ACK, 0, frame.payload))
        elif frame.kind == raw.SETTINGS and not frame.flags & raw.ACK:
            self._say(raw.frame(raw.SETTINGS, raw.ACK, 0))
        elif frame.kind == raw.DATA:
            self._collect(frame)

    def _collect(self, frame: Frame) -> None:
        seen, stream = self._seen, frame.stream
        seen.bodies[stream] = seen.bodies.get(stream, b"") + frame.payload
        if frame.payload:
            self._say(noise.window(0, len(frame.payload)))
        if frame.flags & raw.END_STREAM:
            seen.whole[stream] = int(seen.bodies.pop(stream).split(b" ", 1)[0])
            self._answer_some()
            self._harmless -= 1
            if self._harmless < 0 and self._random.random() < 0.1:
                self._harm()

    def _answer_some(self) -> None:
        random, ready = self._random, [one for one in self._open if one in self._seen.whole]
        # Now and then some wait, so that answers come out of order.
        for stream in random.sample(ready, max(0, len(ready) - random.choice((0, 0, 0, 3)))):
            self._open.remove(stream)
            chance = random.random()
            if chance < 0.85:
                status, body = (
                    random.choice(noise.STATUSES),
                    random.randbytes(random.choice((0, 40))),
                )
                self._say(*noise.answer(random, stream, status, body))
            elif chance < 0.97:
                self._say(noise.reset(stream, random.choice((0, 2, 7, 7, 8, 11))))
        if random.random() < 0.1:
            self._say(noise.harmless(random, self._open))

    def _harm(self) -> None:
        random = self._random
        match random.randrange(7):
            case 0:
                self._say(noise.goodbye(random, list(self._seen.whole)))
            case 1:
                self._say(noise.any_frame(random, self._open))
            case 2:
                self._say(random.randbytes(random.randint(1, 60)))
            case 3:
                cut = noise.answer(random, 1, 200, b"cut off")[0]
                self._say(cut[: random.randint(1, len(cut) - 1)])
                raise ConnectionError("hung up within a frame")
            case 4:
                self._tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE)
                raise ConnectionError("reset")
            case 5:
                time.sleep(random.random() * _LONGEST_STALL_SECONDS)
            case _:
                self._say(noise.goodbye(random, list(self._seen.whole)))
                self._tls.shutdown(socket.SHUT_WR)

    def _say(self, *frames: bytes) -> None:
        data = b"".join(frames)
        # Noted first: what was said in part must not count as unsaid.
        self._seen.out += data
        self._tls.sendall(data)


@contextlib.contextmanager
def chaos_server(folder: Path, seed: str) -> Iterator[ChaosServer]:
    """Run a server for the length of a block."""
    server = ChaosServer(folder, seed)
    try:
        yield server
    finally:
        server.close()
