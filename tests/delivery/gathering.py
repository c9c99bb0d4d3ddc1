"""Waiting for results of a transport, with a deadline."""

import time
from collections.abc import Callable

from delivery.transport import Transport


def pump_until(transport: Transport, is_done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Pump until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline, "not done in time"
        transport.pump(0.05)


def drain(transport: Transport, seconds: float = 20.0) -> None:
    """Pump until nothing is in flight."""
    pump_until(transport, lambda: not transport.in_flight(), seconds)
