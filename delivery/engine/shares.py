"""Fair shares of one worker: pure rules about the chunks that it holds side by side."""

from collections.abc import Sequence

from delivery.chunks.repository import CHUNK_PER_SECOND
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.window import Window
from delivery.pacing.gcra import HORIZON_SECONDS

# The slowest chunk takes this part of a chunk's place in the hands of a worker.
_LEAST_SLOT = 1 / 16
# Whoever has more than its share of permits that wait for their time asks no further ahead.
_CROWDED_HORIZON_SECONDS = HORIZON_SECONDS / 2
# However many share the in-doubt bound, each may use this part of it.
_LEAST_PART = 1 / 8


def slots_taken(chunks: Sequence[OpenChunk]) -> float:
    """Return how many places the chunks take: what goes slowly takes a part of one.

    So does a chunk that only waits for its last answers.
    """
    return sum(_slot(chunk) for chunk in chunks)


def _slot(chunk: OpenChunk) -> float:
    if not (chunk.queue or chunk.in_hand or chunk.next):
        return _LEAST_SLOT
    if chunk.per_second is None:
        return 1.0
    return min(1.0, max(_LEAST_SLOT, chunk.per_second / CHUNK_PER_SECOND))


def in_doubt_part(chunk: OpenChunk, chunks: Sequence[OpenChunk], limit: int) -> int:
    """Return how many pushes the chunk's message may have in doubt, beside the others."""
    weights = {_key(other): _weight(other) for other in chunks}
    part = max(_LEAST_PART, _weight(chunk) / sum(weights.values()))
    return max(1, int(limit * part))


def has_room(chunk: OpenChunk, chunks: Sequence[OpenChunk], limit: int) -> bool:
    """Tell whether the window that is prepared may be in doubt, too."""
    pushes = len(chunk.next.pushes) if chunk.next else 0
    own = sum(other.in_doubt() for other in chunks if _key(other) == _key(chunk))
    if pushes + sum(other.in_doubt() for other in chunks) > limit:
        return False
    # Each may have one window at least: its part may be smaller than a window is.
    return not own or own + pushes <= in_doubt_part(chunk, chunks, limit)


def has_streams(window: Window, chunks: Sequence[OpenChunk], streams: int) -> bool:
    """Tell whether a provider's gateway has room for a window; one at a time it always has."""
    taken = sum(
        len(other.unanswered)
        for chunk in chunks
        for other in chunk.departed
        if other.provider is window.provider
    )
    return not taken or taken + len(window.pushes) <= streams


def horizon_seconds(chunk: OpenChunk, chunks: Sequence[OpenChunk], now: float) -> float:
    """Return how far ahead the chunk may take permits.

    Those of one credential share its permits: a message with more than its part of the windows
    that wait leaves the far end to the others, or they would never find it free.
    """
    rivals = [one for one in chunks if one.lease.credential_id == chunk.lease.credential_id]
    weights = {_key(other): _weight(other) for other in rivals}
    if len(weights) == 1:
        return HORIZON_SECONDS
    waiting = [_key(other) for other in rivals if other.waiting(now)]
    own = waiting.count(_key(chunk))
    is_served = own * sum(weights.values()) > _weight(chunk) * len(waiting)
    return _CROWDED_HORIZON_SECONDS if is_served else HORIZON_SECONDS


def _key(chunk: OpenChunk) -> tuple[int, int]:
    return chunk.lease.message.app_id, chunk.lease.message.id


def _weight(chunk: OpenChunk) -> int:
    return chunk.lease.message.weight
