"""A cheap HTTP/1.1 client for loads: many kept connections, each with one request at a time."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import uvloop

from bench.errors import BenchError

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(slots=True)
class Load:
    """What a load found: seconds of each answer, and how often each status came."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    began: float = 0.0
    ended: float = 0.0

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.seconds) / (self.ended - self.began)


class _Connection(asyncio.Protocol):
    """Sends one request after another; an answer is read to its length."""

    def __init__(self, requests: Iterator[bytes], load: Load, done: Callable[[], None]) -> None:
        self._requests = requests
        self._load = load
        self._done = done
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.fault: str | None = "the connection was refused"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # A transport of uvloop is one in all but name.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer, and send the next request when it is whole."""
        self._buffer = buffer = self._buffer + data if self._buffer else data
        end = buffer.find(_END)
        if end < 0:
            return
        head = buffer[:end].lower()
        at = head.find(_LENGTH)
        line_end = head.find(b"\r", at)
        size = int(head[at + len(_LENGTH) : line_end if line_end > 0 else None]) if at > 0 else 0
        if len(buffer) < end + len(_END) + size:
            return
        self._buffer = b""
        self._load.seconds.append(time.perf_counter() - self._sent_at)
        self._load.statuses[int(head[9:12])] += 1
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """End; what was under way has failed."""
        self._done()

    def _send(self) -> None:
        if self._transport is None:
            return
        request = next(self._requests, None)
        if request is None:
            self.fault = None
            self._transport.close()
            return
        self.fault = "the connection was closed"
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def run_load(port: int, connections: int, requests: Iterator[bytes]) -> Load:
    """Send all requests over so many connections; raises BenchError when one is lost."""
    return uvloop.run(_run(port, connections, requests))


async def _run(port: int, connections: int, requests: Iterator[bytes]) -> Load:
    loop = asyncio.get_running_loop()
    load, open_count, over = Load(began=time.perf_counter()), connections, asyncio.Event()

    def done() -> None:
        nonlocal open_count
        open_count -= 1
        if not open_count:
            over.set()

    made = [
        await loop.create_connection(lambda: _Connection(requests, load, done), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await over.wait()
    load.ended = time.perf_counter()
    faults = Counter(protocol.fault for _, protocol in made if protocol.fault)
    if faults:
        raise BenchError(f"requests were lost: {dict(faults)}")
    return load


def post(path: str, key: str, body: bytes) -> bytes:
    """Return the bytes of a POST with JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
