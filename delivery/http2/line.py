"""A connection on its wire: moves bytes between them and watches that the peer is alive."""

from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

from delivery.http2.connection import Connection
from delivery.http2.frames import PeerError
from delivery.tls.wire import Wire

# A peer that is silent for so long while requests are open is asked for a sign of life, but not
# more often than gateways bear.
_SILENCE_SECONDS = 5.0
_BETWEEN_PINGS_SECONDS = 60.0
_PATIENCE_SECONDS = 10.0
_MOST_LAST_READS = 64


class Line:
    """One connection to a gateway; `ended` says in words why it is of no more use."""

    def __init__(
        self, wire: Wire, connection: Connection, selector: BaseSelector, now: float
    ) -> None:
        self.connection = connection
        self.ended = ""
        self.used_at = self._heard_at = now
        self._wire = wire
        self._selector = selector
        # The peer's SETTINGS are its first sign of life.
        self._asked_at: float | None = now
        self._may_ask_at = now
        selector.register(wire.socket, EVENT_READ, self)
        self.flush()

    def room(self) -> int:
        """Return how many requests it may take now: none while a sign of life is awaited."""
        busy = self._asked_at is not None or self._wire.fault or self._wire.congested()
        return 0 if busy else self.connection.room()

    def flush(self) -> None:
        """Write what the connection has to say; a dead socket is noticed when it is read."""
        data = b"".join(self.connection.out)
        self.connection.out.clear()
        self._wire.send(data)
        self.connection.written = self._wire.written
        events = EVENT_READ | EVENT_WRITE if self._wire.unsent() else EVENT_READ
        if self._selector.get_key(self._wire.socket).events != events:
            self._selector.modify(self._wire.socket, events, self)

    def ready(self, now: float) -> None:
        """Read and write: the socket is ready."""
        for _ in range(_MOST_LAST_READS):
            if not (self._read(now) and self._wire.fault):
                break
        if self.connection.out or self._wire.unsent():
            self.flush()
        if self._wire.fault:
            self.end(self._wire.fault)

    def _read(self, now: float) -> bool:
        data = self._wire.receive()
        try:
            self.connection.receive(data)
        except PeerError as error:
            self.connection.leave(error.code)
            self._wire.fault = f"the gateway broke HTTP/2: {error}"
            return False
        if data and self.connection.greeted:
            self._heard_at, self._asked_at = now, None
        return bool(data)

    def tick(self, now: float, *, wanted: bool) -> None:
        """Look at the clock: deadlines, and whether the peer is alive if it is `wanted`."""
        if self.ended:
            return
        ask_at = max(self._heard_at + _SILENCE_SECONDS, self._may_ask_at)
        if not self.connection.expire(now):
            self.end("connection lost: it takes no bytes")
        elif self._asked_at is not None and now - self._asked_at > _PATIENCE_SECONDS:
            self.end("connection lost: no sign of life")
        elif (wanted or self.connection.streams) and now > ask_at:
            self.connection.ping()
            self._asked_at, self._may_ask_at = now, now + _BETWEEN_PINGS_SECONDS
        if self.connection.out:
            self.flush()

    def end(self, words: str) -> None:
        """Close; what is open ends as ambiguous or not processed."""
        if self.ended:
            return
        self.ended = words
        self.connection.leave()
        self.flush()
        self.connection.end(words)
        self._selector.unregister(self._wire.socket)
        self._wire.close()
