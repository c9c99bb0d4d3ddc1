"""Windows that are being prepared beside the engine's thread, and what comes of them."""

import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor

from core.errors import CarillonError
from delivery.chunks.chunk import CredentialVerdict
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.opener import Opened, Opener, Wanted
from delivery.engine.ports import Control, ProviderFor
from delivery.engine.verdict import Decision
from delivery.engine.window import window_size
from delivery.pacing.ahead import Key
from delivery.pacing.gcra import HORIZON_SECONDS
from delivery.states import RecipientState


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

    def start(self, chunk: OpenChunk, limit: int, horizon_seconds: float) -> None:
        """Begin to prepare the next window of `chunk`."""
        try:
            provider = self._provider_for(chunk.lease)
        except CarillonError as error:
            verdict = CredentialVerdict("credential_unusable", error.detail)
            chunk.decisions.append(Decision(credential=verdict))
            chunk.drain()
            return
        chunk.take(window_size(limit, chunk.per_second, limit))
        wanted = Wanted(chunk.lease, tuple(chunk.in_hand), provider, horizon_seconds)
        self._pending[chunk] = self._thread.submit(self._opener.open, wanted)

    def finish(self, chunk: OpenChunk) -> None:
        """Take what was prepared for `chunk`, if it is ready; raises what preparing raised."""
        future = self._pending.get(chunk)
        if future is None or not future.done():
            return
        del self._pending[chunk]
        try:
            opened = future.result()
        except BaseException:
            chunk.put_back(chunk.in_hand)
            raise
        self._apply(chunk, opened)

    def _apply(self, chunk: OpenChunk, opened: Opened) -> None:
        window = opened.window
        if window is None or chunk.draining:
            chunk.put_back(chunk.in_hand)
        else:
            chunk.prepared(window)
        if not opened.control.may_send():
            stop(chunk, opened.control)
            return
        chunk.per_second = opened.per_second
        if opened.wait_seconds > HORIZON_SECONDS:
            # Back half a horizon before they are due: then they can be taken ahead.
            chunk.drain(opened.wait_seconds - HORIZON_SECONDS / 2)

    def may_still_leave(self, chunk: OpenChunk) -> bool:
        """Read the control row of the prepared window again; withdraw it when it must not leave."""
        now = time.monotonic()
        control = self._opener.control_of(chunk.lease)
        if not control.may_send():
            chunk.withdraw()
            stop(chunk, control)
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


def stop(chunk: OpenChunk, control: Control) -> None:
    """Let a chunk end or wait that must not send now."""
    if control.message_state == "cancelled":
        chunk.end_rest(RecipientState.SUPPRESSED, "cancelled")
    elif control.expired:
        chunk.end_rest(RecipientState.EXPIRED, "ttl")
    else:
        chunk.drain()
