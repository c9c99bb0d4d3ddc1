"""Permits by the generic cell rate algorithm: pure arithmetic, seconds relative to now.

The mark of a limit is the moment at which its next permit is due. The Lua script of
`redis_permits` computes the same; a test compares the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

# A window whose permits are further away than this goes back to the queue.
HORIZON_SECONDS = 1.0


class Share(StrEnum):
    """Whose a reserved share of a limit is; each has a mark of its own."""

    TRANSACTIONAL = "reserved"
    SLOW = "slow"  # messages whose own rate is small beside the quota


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `per_second` pushes a second within a scope such as `message:7`.

    What was not used in the last `burst_seconds` may be caught up on. With `reserved_per_second`
    the caller has a share of its own: within it, it waits for nobody, and the others wait. All
    callers of a `share` have it together.
    """

    scope: str
    per_second: float
    burst_seconds: float = 0.0
    reserved_per_second: float = 0.0
    share: Share = Share.TRANSACTIONAL


@dataclass(frozen=True, slots=True)
class Mark:
    """When the next permit is due, and at which rate that was reckoned; both in seconds.

    `reserved_in` is the same for the limit's reserved share. The past is negative.
    """

    due_in: float
    per_second: float
    reserved_in: float = 0.0


@dataclass(frozen=True, slots=True)
class Wish:
    """Permits for so many pushes, if they are due within the horizon.

    `settle_seconds` is how long the permits of an earlier pacer may still be on their way.
    """

    pushes: int
    horizon_seconds: float = HORIZON_SECONDS
    settle_seconds: float = 0.0


def grant(
    limits: Sequence[Limit], marks: Sequence[Mark | None], wish: Wish
) -> tuple[float, list[Mark]]:
    """Return the seconds to wait for the permits of all limits, and the new marks.

    A wait above the wish's horizon means that nothing is granted: there are no marks then.
    """
    waits, after = [0.0], []
    for limit, mark in zip(limits, marks, strict=True):
        wait, new = _grant_one(limit, mark, wish)
        waits.append(wait)
        after.append(new)
    wait = max(waits)
    return (wait, after) if wait <= wish.horizon_seconds else (wait, [])


def _grant_one(limit: Limit, mark: Mark | None, wish: Wish) -> tuple[float, Mark]:
    start = wish.settle_seconds if wish.settle_seconds > 0 else -limit.burst_seconds
    reserved_in = 0.0
    if mark is not None:
        # What is owed was reckoned at an older rate: at a new one it takes another time.
        owed = mark.due_in * mark.per_second / limit.per_second if mark.due_in > 0 else mark.due_in
        start, reserved_in = max(start, owed), mark.reserved_in
    wait = max(start, 0.0)
    if wait > 0 and limit.reserved_per_second > 0 and reserved_in <= 0:
        wait = 0.0
        reserved_in = max(reserved_in, 0.0) + wish.pushes / limit.reserved_per_second
    return wait, Mark(start + wish.pushes / limit.per_second, limit.per_second, reserved_in)
