"""The transport: channels by endpoint on one selector, driven by one thread."""

import socket
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from selectors import EVENT_READ, DefaultSelector

from core.clock import steady_seconds
from delivery.http2.channel import Channel, Dialed, Options
from delivery.http2.line import Line
from delivery.http2.stream import Finished
from delivery.transport import Done, Endpoint, NotProcessed, Request

_TICK_SECONDS = 0.05
_WITHDRAWN = NotProcessed("withdrawn", "withdrawn before anything was written")


class Http2Transport:
    """Implements `delivery.transport.Transport`; to be used from one thread.

    Whatever happens to connections between calls is noticed by the next `pump`, also when
    nothing is in flight.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._selector = DefaultSelector()
        self._channels: dict[Endpoint, Channel] = {}
        self._finished: deque[Finished] = deque()
        self._dialed: SimpleQueue[tuple[Channel, Dialed]] = SimpleQueue()
        self._count = 0
        self._polled_at = self._tick_at = 0.0
        self._waker, self._sleeper = socket.socketpair()
        self._selector.register(self._sleeper, EVENT_READ)
        self._closed = False

    def submit(self, request: Request, done: Done) -> None:
        """Queue a request; `done` is called exactly once, from within `pump` or `close`."""
        self._count += 1
        if self._closed:
            self._finished.append((done, NotProcessed("unsent", "the transport is closed")))
            return
        channel = self._channels.get(request.endpoint)
        if channel is None:
            channel = Channel(request.endpoint, self._options, self._finished, self._report)
            self._channels[request.endpoint] = channel
        channel.waiting.append((request, done, steady_seconds() + request.timeout_seconds))

    def _report(self, channel: Channel, outcome: Dialed) -> None:
        # From the thread that dialed.
        self._dialed.put((channel, outcome))
        try:
            self._waker.send(b"-")
        except OSError:  # closed meanwhile
            outcome.close()

    def retire(self, endpoint: Endpoint) -> None:
        """Let the connections of an endpoint end as soon as they carry nothing."""
        if channel := self._channels.get(endpoint):
            channel.retired = True

    def in_flight(self) -> int:
        """Return how many requests have no result yet."""
        return self._count

    def unwritten(self) -> list[Done]:
        """Return the `done` of each request of which nothing was written."""
        return [done for channel in self._channels.values() for _, done, _ in channel.waiting]

    def withdraw(self, is_meant: Callable[[Done], bool]) -> None:
        """End the requests that are meant and of which nothing was written, as withdrawn."""
        for channel in self._channels.values():
            ended = [done for _, done, _ in channel.waiting if is_meant(done)]
            channel.waiting = deque(one for one in channel.waiting if not is_meant(one[1]))
            self._finished.extend((done, _WITHDRAWN) for done in ended)

    def pump(self, timeout_seconds: float) -> None:
        """Make progress, waiting at most this long for the network."""
        now = steady_seconds()
        if self._closed:
            self._deliver()
            return
        if now - self._polled_at > _TICK_SECONDS:
            # Much may have happened since: it is read before anything is written or expires.
            self._poll(0)
        for channel in self._channels.values():
            if channel.waiting:
                channel.dispatch(now)
        if self._count and not self._finished:
            self._poll(min(timeout_seconds, max(0.0, self._tick_at - now)))
        if now >= self._tick_at:
            self._tick(now)
        self._deliver()

    def _poll(self, wait_seconds: float) -> None:
        events = self._selector.select(wait_seconds)
        self._polled_at = now = steady_seconds()
        for key, _ in events:
            if isinstance(key.data, Line):
                key.data.ready(now)
            else:
                self._sleeper.recv(4_096)
                while not self._dialed.empty():
                    channel, outcome = self._dialed.get()
                    channel.dialed(outcome, self._selector, now)

    def _tick(self, now: float) -> None:
        self._tick_at = now + _TICK_SECONDS
        for endpoint, channel in list(self._channels.items()):
            channel.tick(now)
            if channel.retired and not (channel.lines or channel.waiting or channel.dialing):
                del self._channels[endpoint]

    def _deliver(self) -> None:
        # One at a time, so that a callback that raises does not lose the others' results.
        while self._finished:
            done, result = self._finished.popleft()
            self._count -= 1
            done(result)

    def close(self) -> None:
        """Close all connections; what was in flight ends as ambiguous or not processed."""
        if not self._closed:
            self._closed = True
            self._waker.close()
            while not self._dialed.empty():
                self._dialed.get()[1].close()
            for channel in self._channels.values():
                channel.end()
            self._selector.close()
            self._sleeper.close()
        self._deliver()
