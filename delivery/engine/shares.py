"""Fair shares of one worker: rules about the chunks that it holds side by side."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from delivery.chunks.repository import CHUNK_PER_SECOND
from delivery.engine.open_chunk import OpenChunk
from delivery.pacing.gcra import HORIZON_SECONDS

# The slowest chunk takes this part of a chunk's place in the hands of a worker.
_LEAST_SLOT = 1 / 16
# Whoever has more than its share of permits that wait for their time asks no further ahead.
_CROWDED_HORIZON_SECONDS = HORIZON_SECONDS / 2
# When less than this share of what may be in doubt is left, outcomes are recorded at once.
_SCARCE_SHARE = 0.25
# However many share the in-doubt bound, each may use this part of it.
_LEAST_PART = 1 / 8


_Key = tuple[int, int]  # an app and a message


class Careful(Protocol):
    """Knows how carefully to go with the credential of a chunk, as `TokenWatch` does."""

    def allowed(self, chunk: OpenChunk) -> int:
        """Return how many pushes may be on their way."""
        ...

    def is_asking(self, chunk: OpenChunk) -> bool:
        """Tell whether none may leave until it is known if the credential must pause."""
        ...


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


class Shares:
    """What may be in doubt, divided by weight among the messages of a worker.

    Counted once for a turn of the engine, for asking each chunk about all others costs its square;
    what begins to be in doubt within the turn is added, what ends counts from the next one on.
    """

    def __init__(
        self, chunks: Sequence[OpenChunk], limit: int, tokens: Careful | None = None
    ) -> None:
        self._limit = limit
        self._tokens = tokens
        self._allowed: dict[int, int] = {}
        if tokens is not None:
            one_of_each = {_credential(chunk): chunk for chunk in chunks}
            self._allowed = {key: tokens.allowed(chunk) for key, chunk in one_of_each.items()}
        self._with: Counter[int] = Counter()
        self._weights = {_key(chunk): _weight(chunk) for chunk in chunks}
        self._weight = sum(self._weights.values())
        self._doubts: Counter[_Key] = Counter()
        for chunk in chunks:
            doubt = chunk.in_doubt()
            self._doubts[_key(chunk)] += doubt
            self._with[_credential(chunk)] += doubt
        self._doubt = self._doubts.total()

    @property
    def room(self) -> int:
        """How many more may be in doubt in all."""
        return self._limit - self._doubt

    def part(self, chunk: OpenChunk) -> int:
        """Return how many pushes the chunk's message may have in doubt, beside the others."""
        share = max(_LEAST_PART, _weight(chunk) / max(_weight(chunk), self._weight))
        return max(1, int(self._limit * share))

    def is_scarce(self, chunk: OpenChunk) -> bool:
        """Tell whether little room is left, for all or for the chunk's message."""
        part = self.part(chunk)
        left = part - self._doubts[_key(chunk)]
        allowed = self.allowed(chunk)
        return (
            self.room < self._limit * _SCARCE_SHARE
            or left < part * _SCARCE_SHARE
            or allowed - self._with[_credential(chunk)] < allowed * _SCARCE_SHARE
        )

    def allowed(self, chunk: OpenChunk) -> int:
        """Return how many may be in doubt with the chunk's credential."""
        return self._allowed.get(_credential(chunk), self._limit)

    def has_room(self, chunk: OpenChunk) -> bool:
        """Tell whether the window that is prepared may be in doubt, too."""
        pushes = len(chunk.next.pushes) if chunk.next else 0
        own = self._doubts[_key(chunk)]
        if pushes > min(self.room, self.allowed(chunk) - self._with[_credential(chunk)]):
            return False
        if self._tokens is not None and self._tokens.is_asking(chunk):
            return False
        # Each may have one window at least: its part may be smaller than a window is.
        return not own or own + pushes <= self.part(chunk)

    def add(self, chunk: OpenChunk, pushes: int) -> None:
        """Count pushes of the chunk that are in doubt from now on."""
        self._doubts[_key(chunk)] += pushes
        self._with[_credential(chunk)] += pushes
        self._doubt += pushes


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


def _key(chunk: OpenChunk) -> _Key:
    return chunk.lease.message.app_id, chunk.lease.message.id


def _credential(chunk: OpenChunk) -> int:
    return chunk.lease.credential_id


def _weight(chunk: OpenChunk) -> int:
    return chunk.lease.message.weight
