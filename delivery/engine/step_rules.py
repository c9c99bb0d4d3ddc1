"""When a chunk may open its next window, and when that may leave; pure."""

from delivery.engine.open_chunk import OpenChunk


def may_open(chunk: OpenChunk) -> bool:
    """Tell whether the next window may be prepared: one at a time, and none while a step waits."""
    return (
        chunk.next is None
        and chunk.attempted is None
        and bool(chunk.queue)
        and not (chunk.draining or chunk.in_hand)
    )


def may_depart(chunk: OpenChunk, *, has_room: bool) -> bool:
    """Tell whether the prepared window may leave: not before its intent is known to be committed.

    At least once needs no intent, but room among those in doubt: its window joins them by leaving.
    """
    window = chunk.next
    if window is None or chunk.attempted is not None or not window.pushes:
        return False
    return window.is_intended or (chunk.at_least_once and has_room)


def sending_seconds(
    lease_until: float, margin_seconds: float, shortest_seconds: float, now: float
) -> float | None:
    """Return for how long bytes may be written, None when that is too short to begin."""
    left = lease_until - margin_seconds - now
    return None if left < shortest_seconds else left
