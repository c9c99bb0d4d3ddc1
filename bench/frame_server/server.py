"""The loop of the frame server: one thread, all connections, answers in their own time."""

import os
import socket
import ssl
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from bench.frame_server import frames
from bench.frame_server.connection import Connection
from bench.frame_server.faults import Faults

_BACKLOG = 1024
_IDLE_SECONDS = 1.0


@dataclass(slots=True)
class Totals:
    """What was seen since the last restart; a record is (connection, stream, number)."""

    record: "array[int]" = field(default_factory=lambda: array("I"))
    connections: int = 0
    refused: int = 0
    violations: int = 0
    beyond: int = 0

    def processed(self) -> int:
        """Return how many pushes were read whole and taken."""
        return len(self.record) // 3


class FrameServer:
    """Answers every push with 200 after `latency_seconds`, and keeps a record of it."""

    def __init__(self, tls: ssl.SSLContext, latency_seconds: float, faults: Faults) -> None:
        self._tls = tls
        self._latency_seconds = latency_seconds
        self._faults = faults
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._listener.settimeout(0)
        self.port = int(self._listener.getsockname()[1])
        self.totals = Totals()
        self._made = 0
        self._due: deque[tuple[float, Connection, int, bytes]] = deque()
        self._selector = DefaultSelector()
        self._selector.register(self._listener, EVENT_READ)

    def serve(self, orders: int, obey: Callable[[str], None]) -> None:
        """Serve until the file `orders` ends; hand each of its lines to `obey`."""
        self._selector.register(orders, EVENT_READ)
        while True:
            for key, events in self._selector.select(self._wait()):
                if key.data is not None:
                    self._turn(key.data, events)
                elif key.fileobj is self._listener:
                    self._accept()
                elif not (lines := os.read(orders, 4096)):
                    return
                else:
                    for line in lines.decode().split():
                        obey(line)
            if self._due:
                self._answer_due()

    def restart_count(self) -> None:
        """Forget what was seen."""
        self.totals = Totals()

    def stats(self) -> dict[str, int]:
        """Return the totals, those of open connections included."""
        keys = self._selector.get_map().values()
        live = [key.data for key in keys if isinstance(key.data, Connection)]
        totals, faults = self.totals, self._faults
        return {
            "processed": totals.processed(),
            "distinct": len(set(totals.record[2::3])),
            "connections": totals.connections,
            "refused": totals.refused + sum(one.refused for one in live),
            "violations": totals.violations + sum(one.violations for one in live),
            "beyond": totals.beyond + sum(one.beyond for one in live),
            "goaways": faults.goaways,
            "resets": faults.resets,
            "limits": faults.limits,
        }

    def _wait(self) -> float:
        if not self._due:
            return _IDLE_SECONDS
        return max(0.0, self._due[0][0] - time.monotonic())

    def _accept(self) -> None:
        try:
            plain, _ = self._listener.accept()
        except BlockingIOError:
            return
        plain.settimeout(0)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._made += 1
        self.totals.connections += 1
        connection = Connection(self._made, plain, self._tls, self._faults.streams)
        self._selector.register(plain, EVENT_READ, connection)

    def _turn(self, connection: Connection, events: int) -> None:
        if events & EVENT_READ:
            connection.receive(self._process)
            self._faults.follow_up(connection)
        connection.flush()
        self._watch(connection)

    def _process(self, connection: Connection, stream: int, body: bytes) -> None:
        self.totals.record.extend((connection.number, stream, frames.number_of(body)))
        frame = frames.answer(stream, body)
        if self._latency_seconds:
            due = time.monotonic() + self._latency_seconds
            self._due.append((due, connection, stream, frame))
        else:
            connection.answer(stream, frame)
        self._faults.strike(self.totals.processed(), connection, stream)

    def _answer_due(self) -> None:
        now = time.monotonic()
        touched: set[Connection] = set()
        while self._due and self._due[0][0] <= now:
            _, connection, stream, frame = self._due.popleft()
            if not connection.is_gone:
                connection.answer(stream, frame)
                touched.add(connection)
        for connection in touched:
            connection.flush()
            self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        if connection.is_gone:
            self._forget(connection)
            return
        events = EVENT_READ | (EVENT_WRITE if connection.wants_to_write else 0)
        if self._selector.get_key(connection.socket).events != events:
            self._selector.modify(connection.socket, events, connection)

    def _forget(self, connection: Connection) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._faults.forget(connection)
        self.totals.refused += connection.refused
        self.totals.violations += connection.violations
        self.totals.beyond += connection.beyond
