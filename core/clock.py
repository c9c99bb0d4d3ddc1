"""Where the time comes from. Leases and due times use the database's clock, not this one."""

import time
from datetime import UTC, datetime

# Leases and deadlines go on while the machine sleeps, and so must this clock. On Linux
# CLOCK_MONOTONIC stands still then, and CLOCK_BOOTTIME does not; on macOS CLOCK_MONOTONIC goes on,
# and it is `time.monotonic` that stands still.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def utc_now() -> datetime:
    """Return the present moment as an aware UTC datetime."""
    return datetime.now(UTC)


def steady_seconds() -> float:
    """Return seconds that only ever go forward, whatever is done to the wall clock or the machine.

    Only differences mean something. A machine that is frozen from outside, as a virtual one can
    be, loses the time without a trace.
    """
    return time.clock_gettime(_STEADY)
