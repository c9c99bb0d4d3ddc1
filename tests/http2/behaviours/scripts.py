"""Small scripts for the fault server that several behaviours share."""

from collections.abc import Callable

from bench.faults.connection import FaultConnection
from bench.faults.request import FaultRequest
from bench.faults.script import accept

MAX_CONCURRENT_STREAMS = 3
REFUSED, CANCEL, INTERNAL, CALM = 7, 8, 2, 11
NO_LAST_STREAM = 2**31 - 1


class Holding:
    """Keeps requests without an answer until told."""

    def __init__(self) -> None:
        self.held: list[FaultRequest] = []

    def __call__(self, request: FaultRequest) -> None:
        self.held.append(request)

    def holds(self, number: int) -> Callable[[], bool]:
        """Return a question: are so many requests waiting?"""
        return lambda: len(self.held) >= number

    def release(
        self, number: int | None = None, act: Callable[[FaultRequest], object] = accept
    ) -> Callable[[], None]:
        """Return a call that does something about the oldest ones; all without a number."""

        def run() -> None:
            now, self.held[:] = self.held[:number], [] if number is None else self.held[number:]
            for request in now:
                act(request)

        return run


def after(seconds: float) -> Callable[[FaultRequest], None]:
    """Return a script that accepts a push some time after it has arrived."""

    def script(request: FaultRequest) -> None:
        request.connection.loop.later(seconds, request.accept)

    return script


def limit(streams: int) -> Callable[[FaultConnection], None]:
    """Return an act that announces another limit of streams."""
    return lambda connection: connection.settings({MAX_CONCURRENT_STREAMS: streams})


def goaway(
    last: int | None, code: int = 0, debug: bytes = b""
) -> Callable[[FaultConnection], None]:
    """Return an act that says GOAWAY; without a last stream, the last one that was seen."""
    return lambda connection: connection.goaway(
        connection.last_stream if last is None else last, code, debug
    )
