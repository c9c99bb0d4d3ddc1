"""Preparing a window failed by a fault of ours: whom it is about is found, and the others go on.

The window is halved until one recipient is alone with the fault. It is tried again a few times,
later and in a chunk of its own, and then ends. Nothing of such a window was ever sent.
"""

from core.database import is_away
from delivery.chunks.chunk import Ended, Retried, Step
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.verdict import Decision
from delivery.states import RecipientState, SuppressedReason

# How often a recipient is tried, and how much longer it waits after each try.
ATTEMPTS = 4
_WAIT_SECONDS = 30.0
# Of those who have all failed alone before, the others wait when so many in a row fail again. Not
# at the last try: whoever can be prepared by then is sent to. Of more nothing new is logged.
LONERS = 8
_REMEMBERED = 1_000
_DEFECT = SuppressedReason.DEFECT.value


class Failures:
    """The chunks at which this worker failed in another way, which leaves them to their leases."""

    def __init__(self) -> None:
        self._times: dict[int, int] = {}

    def note(self, chunk: OpenChunk, error: Exception) -> None:
        """Remember one, and as many as a worker meets before somebody looks into its log.

        A database that is away, or undid something for another's sake, is nobody's defect.
        """
        if is_away(error):
            return
        self._times[chunk.lease.id] = self._times.pop(chunk.lease.id, 0) + 1
        if len(self._times) > _REMEMBERED:
            del self._times[next(iter(self._times))]

    def forgive(self, chunk: OpenChunk, step: Step) -> None:
        """Forget what failed before: gateways take what this chunk sends, and it is recorded."""
        if step.accepted:
            self._times.pop(chunk.lease.id, None)

    def judge(self, chunk: OpenChunk) -> OpenChunk:
        """Let a chunk end whose next try would fail as well; return it."""
        if self._times.get(chunk.lease.id, 0) >= ATTEMPTS:
            chunk.end_rest(RecipientState.SUPPRESSED, _DEFECT)
        return chunk


def isolate(chunk: OpenChunk, tried: int, error: BaseException, attempts: int = ATTEMPTS) -> None:
    """Note that preparing the `tried` recipients at the front of the queue failed."""
    if tried > 1:
        chunk.most = tried // 2
        return
    chunk.most = 1
    chunk.loners += 1
    lease = chunk.lease
    has_failed_before = lease.wait_reason == _DEFECT
    is_over = has_failed_before and lease.attempt >= attempts
    positions = [chunk.queue.popleft()]
    if has_failed_before and not is_over and chunk.loners >= LONERS:
        positions += chunk.queue
        chunk.queue.clear()
    for position in positions:
        if is_over:
            state = RecipientState.SUPPRESSED.value
            end = Ended(position, state, _DEFECT, type(error).__name__)
            chunk.decisions.append(Decision(end=end))
        else:
            wait = _WAIT_SECONDS * lease.attempt
            again = Retried(position, wait, _DEFECT, lease.attempt + 1)
            chunk.decisions.append(Decision(retry=again))


def succeeded(chunk: OpenChunk) -> None:
    """Note that a window could be prepared: the next may be larger again."""
    chunk.loners = 0
    if chunk.most is not None:
        chunk.most *= 2
