"""Waiting for what shall come true, with a deadline instead of a guess."""

import sys
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.02
# Whatever runs beside others on a slow machine is late, not wrong.
_PATIENCE = 3.0
_is_exact = False


def be_exact() -> None:
    """Hold the tests to what is promised, without any allowance for a slow machine."""
    global _is_exact  # noqa: PLW0603
    _is_exact = True


def within(seconds: float) -> float:
    """Return the bound of a promise of so many seconds: three times that in the short forms.

    They run beside other tests, on machines of any speed. The long forms prove the promise itself.
    """
    return seconds if _is_exact else seconds * _PATIENCE


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Return how long it took until `condition` was true; fail when it does not become true.

    `seconds` is what it takes at most on a machine that is not slow. What is promised to take no
    longer is compared with what this returns.
    """
    started = time.monotonic()
    most = seconds * _PATIENCE
    while not condition():
        assert time.monotonic() < started + most, f"not within {most:g} s: {what}"
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - started


def note(words: str) -> None:
    """Print a figure or a seed, which is shown when the test fails."""
    sys.stdout.write(f"{words}\n")
