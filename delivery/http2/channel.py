"""The connections to one endpoint and the requests that wait for them."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from selectors import BaseSelector
from urllib.parse import urlsplit

from delivery.http2.connection import Connection
from delivery.http2.line import Line
from delivery.http2.stream import Finished
from delivery.tls.dial import DialError, Route, dial_in_thread, fault_of
from delivery.tls.wire import Wire
from delivery.transport import Done, Endpoint, NotProcessed, Request

_BATCH = 64
_SATURATED_SECONDS = 0.05
_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
# Gateways take frequent new connections for an attack, so each has to be earned: by answers, or
# by a second of time.
_ANSWERS_PER_DIAL = 100
_MOST_CREDIT = 16.0

_TOO_LATE = NotProcessed("unsent", "no stream became free in time")
_NO_CONNECTION = NotProcessed("connect", "no connection in time")

Dialed = Wire | DialError


@dataclass(frozen=True, slots=True)
class Options:
    """Each endpoint has at most `connections`, each with at most `streams` requests open.

    Apple wants connections kept for hours: `idle_seconds` is when an unused one is closed.
    """

    route: Route = field(default_factory=Route)
    connections: int = 32
    streams: int = 1_000
    idle_seconds: float = 3_600.0
    first_stream_id: int = 1


class Channel:
    """Spreads the requests of one endpoint over as many connections as they need.

    A connection is added while all are full, unless the gateway lowered its limit: more
    connections would be an answer to that which no gateway wants.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: Options,
        finished: deque[Finished],
        report: Callable[["Channel", Dialed], None],
    ) -> None:
        self.waiting: deque[tuple[Request, Done, float]] = deque()
        self.lines: list[Line] = []
        self.retired = False
        self.dialing = self._turn = 0
        self._endpoint = endpoint
        self._options = options
        self._finished = finished
        self._report = partial(report, self)
        self._credit = _MOST_CREDIT
        self._credited_at = self._pause = self._not_before = 0.0
        self._full_since: float | None = None

    def dispatch(self, now: float) -> None:
        """Hand waiting requests to connections with room; ask for more connections."""
        self.reap(now)
        while self.waiting and (free := [line for line in self.lines if line.room() > 0]):
            share = min(_BATCH, -(-len(self.waiting) // len(free)))
            for line in free:
                self._fill(line, share, now)
        if not self.waiting:
            self._full_since = None
        elif not self.dialing:
            self._grow(now)

    def _fill(self, line: Line, share: int, now: float) -> None:
        for _ in range(min(share, line.room(), len(self.waiting))):
            request, done, deadline = self.waiting.popleft()
            if deadline > now:
                line.connection.open(request, done, deadline)
            else:
                self._finished.append((done, _TOO_LATE))
        line.used_at = now
        line.flush()

    def _grow(self, now: float) -> None:
        live = [line.connection for line in self.lines if not line.connection.draining]
        self._credit = min(_MOST_CREDIT, self._credit + now - self._credited_at)
        self._credited_at = now
        wanted = 1
        if live:
            self._full_since = self._full_since or now
            held_back = any(one.limit < one.highest_limit or not one.answers for one in live)
            if held_back or now - self._full_since < _SATURATED_SECONDS:
                return
            wanted = min(len(live), 1 + len(self.waiting) // max(1, live[0].limit))
        if now >= self._not_before:
            self.dialing = min(wanted, self._options.connections - len(live), int(self._credit))
            self._credit -= self.dialing
            for _ in range(self.dialing):
                self._turn += 1
                dial_in_thread(self._endpoint, self._options.route, self._turn, self._report)

    def dialed(self, outcome: Dialed, selector: BaseSelector, now: float) -> None:
        """Take what has become of an attempt to connect."""
        self.dialing -= 1
        if isinstance(outcome, DialError):
            self._fail(outcome.fault, str(outcome), now)
            return
        options = self._options
        authority = urlsplit(self._endpoint.origin).netloc.rpartition("@")[2]
        connection = Connection(authority, self._finished, options.streams, options.first_stream_id)
        self.lines.append(Line(outcome, connection, selector, now))

    def _fail(self, fault: str, words: str, now: float, debug: bytes = b"") -> None:
        self._pause = min(max(_PAUSE_SECONDS, self._pause * 2), _LONGEST_PAUSE_SECONDS)
        self._not_before = now + self._pause * random.uniform(0.5, 1)  # noqa: S311 - no secret
        if not self.lines:
            self._give_up(NotProcessed(fault, words, debug), inf)

    def _give_up(self, result: NotProcessed, deadline: float) -> None:
        """End the waiting requests whose deadline is not later than `deadline`."""
        late = [one for one in self.waiting if one[2] <= deadline]
        if late:
            self._finished.extend((done, result) for _, done, _ in late)
            self.waiting = deque(one for one in self.waiting if one[2] > deadline)

    def tick(self, now: float) -> None:
        """Look at the clock: deadlines, signs of life, connections nobody needs any more."""
        for line in self.lines:
            line.tick(now, wanted=bool(self.waiting))
            idle = self.retired or now - line.used_at > self._options.idle_seconds
            if not line.ended and not line.connection.streams and idle and not self.waiting:
                line.end("idle")
        self.reap(now)
        self._give_up(_TOO_LATE if self.lines else _NO_CONNECTION, now)

    def reap(self, now: float) -> None:
        """Forget connections that have ended or drained; one that never answered is a failure."""
        for line in list(self.lines):
            connection = line.connection
            if connection.draining and not connection.streams and not line.ended:
                line.end("drained")
            if not line.ended:
                continue
            self.lines.remove(line)
            self._credit += connection.answers / _ANSWERS_PER_DIAL
            if connection.answers:
                self._pause = 0.0
            elif line.ended != "idle":
                self._fail(fault_of(line.ended), line.ended, now, connection.debug)

    def end(self) -> None:
        """Close everything; each request gets a result."""
        for line in self.lines:
            line.end("closed")
        self._give_up(NotProcessed("unsent", "closed before sending"), inf)
