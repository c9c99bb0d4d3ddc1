"""When outcomes are recorded by themselves, without an intent to ride with; pure."""

from delivery.engine.open_chunk import OpenChunk

# Stragglers are recorded together when this old, not one by one.
_STRAGGLER_SECONDS = 0.1
# Outcomes of a window that is still open are recorded at most this often.
_PARTIAL_SECONDS = 0.05


def is_time_to_record(chunk: OpenChunk, now: float, *, is_scarce: bool) -> bool:
    """Tell whether the outcomes that a chunk has wait no longer.

    They wait for the next intent, to ride with it; but not while others wait for room among those
    in doubt: then even a window that is still open gives room back.
    """
    if _is_isolating(chunk):
        return False
    age = now - chunk.recorded_at
    if chunk.window is None or chunk.window.is_closed(now):
        return is_scarce or age >= _STRAGGLER_SECONDS
    return is_scarce and age >= _PARTIAL_SECONDS


def is_at_rest(chunk: OpenChunk) -> bool:
    """Tell whether nothing is on its way or prepared, so that there is nothing to wait for."""
    return not (chunk.flying or chunk.next or chunk.in_hand or _is_isolating(chunk))


def _is_isolating(chunk: OpenChunk) -> bool:
    """Tell whether those who failed alone wait for each other.

    They go on in a new chunk. Recorded one by one, each would get one of its own.
    """
    return bool(chunk.loners and chunk.queue) and not (chunk.sent or chunk.draining)
