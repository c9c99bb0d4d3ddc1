"""What the fault server does at each turn: three functions, exchangeable at any time."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.faults.connection import MAX_CONCURRENT_STREAMS, FaultConnection
from bench.faults.request import FaultRequest

HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 1, 4, 5, 6

OnConnection = Callable[[FaultConnection], object]
OnRequest = Callable[[FaultRequest], object]


def greet(streams: int = 1_000, settings: dict[int, int] | None = None) -> OnConnection:
    """Return an opening that sends SETTINGS at once."""
    values = {MAX_CONCURRENT_STREAMS: streams, **(settings or {})}
    return lambda connection: connection.settings(values)


def accept(request: FaultRequest) -> None:
    """Accept a push."""
    request.accept()


def ignore(_: object) -> None:
    """Do nothing."""


_GREET = greet()


@dataclass(frozen=True, slots=True)
class Script:
    """A function for each turn.

    `opened` comes after the TLS handshake, `began` with the headers of a request, `arrived` once
    it was read whole, `pinged` after a PING of the client was answered.
    """

    arrived: OnRequest = accept
    opened: OnConnection = _GREET
    began: OnRequest = ignore
    pinged: OnConnection = ignore
