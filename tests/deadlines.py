"""Waiting for what shall come true, with a deadline instead of a guess."""

import sys
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.02


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Return how long it took until `condition` was true; fail after `seconds`."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + seconds, f"not within {seconds:g} s: {what}"
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - started


def note(words: str) -> None:
    """Print a figure or a seed, which is shown when the test fails."""
    sys.stdout.write(f"{words}\n")
