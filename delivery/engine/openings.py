"""Windows that are being prepared beside the engine's thread, and what comes of them."""

import logging
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from core.clock import steady_seconds
from core.database import is_away
from core.errors import CarillonError
from delivery.chunks.chunk import CredentialVerdict
from delivery.engine import defects
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.opener import Opened, Opener, Wanted
from delivery.engine.ports import Control, ProviderFor
from delivery.engine.verdict import Decision
from delivery.engine.window import window_size
from delivery.pacing.ahead import Key
from delivery.pacing.gcra import HORIZON_SECONDS
from delivery.states import RecipientState

_LOGGER = logging.getLogger(__name__)
# A permit is due no later than this and one push: horizon, a change of the pacer, and a window.
_LONGEST_WAIT_SECONDS = 2.5 * HORIZON_SECONDS


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a window may hold, recipients and pushes, and how far its permits may lie."""

    recipients: int
    pushes: int
    horizon_seconds: float


class Openings:
    """Prepares windows in one thread: the engine sends meanwhile, for both wait for others a lot.

    The engine's thread alone changes chunks: before, by taking positions in hand, and after.
    """

    def __init__(self, opener: Opener, provider_for: ProviderFor) -> None:
        self._opener = opener
        self._provider_for = provider_for
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="opener")
        self._pending: dict[OpenChunk, Future[Opened]] = {}

    def ahead_seconds(self, chunk: OpenChunk) -> float:
        """Return how far away the next permit of a chunk is, as far as is known."""
        return self._opener.ahead.seconds((chunk.lease.message.id, chunk.lease.credential_id))

    def start(self, chunk: OpenChunk, bounds: Bounds) -> None:
        """Begin to prepare the next window of `chunk`."""
        try:
            provider = self._provider_for(chunk.lease)
        except CarillonError as error:
            verdict = CredentialVerdict("credential_unusable", error.detail)
            chunk.decisions.append(Decision(credential=verdict))
            chunk.drain()
            return
        most = bounds.recipients if chunk.most is None else min(bounds.recipients, chunk.most)
        chunk.take(window_size(most, chunk.per_second, most))
        given = (tuple(chunk.in_hand), provider, bounds.horizon_seconds, bounds.pushes)
        wanted = Wanted(chunk.lease, *given)
        self._pending[chunk] = self._thread.submit(self._opener.open, wanted)

    def finish(self, chunk: OpenChunk) -> None:
        """Take what was prepared for `chunk`, if it is ready; raises when the database is away."""
        future = self._pending.get(chunk)
        if future is None or not future.done():
            return
        del self._pending[chunk]
        try:
            opened = future.result()
        except Exception as error:
            tried = len(chunk.in_hand)
            chunk.put_back(chunk.in_hand)
            if is_away(error):
                raise
            if chunk.loners < defects.LONERS:
                extra = {"chunk_id": chunk.lease.id, "tried": tried}
                _LOGGER.exception("window.defect", extra=extra)
            defects.isolate(chunk, tried, error)
            return
        apply(chunk, opened)

    def may_still_leave(self, chunk: OpenChunk) -> bool:
        """Read the control row of the prepared window again; withdraw it when it must not leave.

        So it is when a newer message goes first for some of it: it is prepared anew, without them.
        """
        now = steady_seconds()
        control = self._opener.control_of(chunk.lease)
        if not control.may_send():
            take_back(chunk, control)
        elif chunk.next is not None and self._opener.is_overtaken(chunk.lease, chunk.next):
            chunk.withdraw()
        elif chunk.next is not None:
            chunk.next.checked_at = now
        return chunk.next is not None

    def far(self) -> Collection[Key]:
        """Return the messages and credentials whose permits are too far away to ask for."""
        return self._opener.ahead.far()

    def forget(self, chunk: OpenChunk) -> None:
        """Ask no more about a chunk that others hold now."""
        self._pending.pop(chunk, None)

    def futures(self) -> list[Future[Opened]]:
        """Return what is under way."""
        return list(self._pending.values())

    def close(self) -> None:
        """Wait for what is under way and end the thread."""
        self._thread.shutdown()
        self._opener.pacer.close()


def apply(chunk: OpenChunk, opened: Opened) -> None:
    """Take what was prepared of the positions in hand, or let the chunk stop or wait."""
    window = opened.window
    if window is None or chunk.draining:
        chunk.put_back(chunk.in_hand)
    else:
        chunk.prepared(window)
        defects.succeeded(chunk)
    if not opened.control.may_send():
        stop(chunk, opened.control)
        return
    chunk.per_second = opened.per_second
    chunk.is_watched, chunk.guard_rests = opened.control.watched, opened.control.guard_rests
    if opened.wait_seconds > HORIZON_SECONDS:
        # Back half a horizon before they are due: then they can be taken ahead.
        chunk.drain(_wait_seconds(opened) - HORIZON_SECONDS / 2)


def _wait_seconds(opened: Opened) -> float:
    """Return for how long the permits of a chunk need not be asked for.

    What was promised at a quicker rate leaves at that rate. Reckoned at a slow one, it would send
    the chunk away for as many minutes as it takes seconds.
    """
    between = 1 / opened.per_second if opened.per_second else 0.0
    return min(opened.wait_seconds, _LONGEST_WAIT_SECONDS + between)


def take_back(chunk: OpenChunk, control: Control) -> None:
    """Let a chunk stop whose prepared window must not leave any more."""
    chunk.withdraw()
    stop(chunk, control)


def stop(chunk: OpenChunk, control: Control) -> None:
    """Let a chunk end or wait that must not send now."""
    if control.message_state == "cancelled":
        chunk.end_rest(RecipientState.SUPPRESSED, "cancelled")
    elif control.expired:
        chunk.end_rest(RecipientState.EXPIRED, "ttl")
    else:
        chunk.drain()
