"""When the frame server misbehaves: by the count of pushes it has processed; no chance in it."""

from dataclasses import dataclass, field

from bench.frame_server.connection import Connection

_NARROW_PUSHES = 20


@dataclass(slots=True)
class Faults:
    """Every so many pushes a GOAWAY, a TCP reset, a stream limit of 1; 0 means never.

    Every second GOAWAY is a pair: a warning, then the last stream. A stream limit of 1 is lifted
    after 20 pushes.
    """

    goaway_every: int = 0
    reset_every: int = 0
    limit_every: int = 0
    streams: int = 100
    goaways: int = 0
    resets: int = 0
    limits: int = 0
    _warned: set[Connection] = field(default_factory=set)
    _narrow: dict[Connection, int] = field(default_factory=dict)

    def strike(self, processed: int, connection: Connection, stream: int) -> None:
        """Do what is due after a push was processed on this connection as this stream."""
        if self.goaway_every and processed % self.goaway_every == 0:
            self._say_goodbye(connection, stream)
        if self.limit_every and processed % self.limit_every == 0:
            self.limits += 1
            self._narrow[connection] = _NARROW_PUSHES
            connection.announce_limit(1)
        elif connection in self._narrow and connection.knows_limit:
            self._widen(connection)
        if self.reset_every and processed % self.reset_every == 0:
            self.resets += 1
            connection.abort()

    def _say_goodbye(self, connection: Connection, stream: int) -> None:
        self.goaways += 1
        if self.goaways % 2:
            connection.end_after(stream)
        else:
            self._warned.add(connection)
            connection.warn_of_end()

    def _widen(self, connection: Connection) -> None:
        self._narrow[connection] -= 1
        if not self._narrow[connection]:
            del self._narrow[connection]
            connection.announce_limit(self.streams)

    def follow_up(self, connection: Connection) -> None:
        """Name the last stream to whoever was warned; to be called after each reading."""
        if connection in self._warned and not connection.is_gone:
            self._warned.discard(connection)
            connection.end_after(connection.highest)

    def forget(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self._warned.discard(connection)
        self._narrow.pop(connection, None)
