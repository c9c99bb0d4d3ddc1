"""Opening a window: control row, recipients, preparation, encoding and permits."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine as Database

from core.errors import CarillonError
from core.ids import delivery_id
from delivery.chunks.chunk import CredentialVerdict, Ended, MessageFacts, Retried
from delivery.engine import repository
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.ports import Control, Preparer, ProviderFor, Recipient, Skipped
from delivery.engine.verdict import Decision
from delivery.engine.window import Addressed, Window, window_size
from delivery.pacing import collapsible
from delivery.pacing.ahead import Ahead
from delivery.pacing.gcra import HORIZON_SECONDS, Limit, Wish
from delivery.pacing.limits import Limits, Paced
from delivery.pacing.pacer import Pacer
from delivery.push import Provider, Push, Rendered, Unsendable
from delivery.states import RecipientState

_COLLAPSE_BUDGET = "collapse_budget"


@dataclass(frozen=True, slots=True)
class Opener:
    """Turns the front of a chunk's queue into a prepared window."""

    database: Database
    preparer: Preparer
    provider_for: ProviderFor
    limits: Limits
    pacer: Pacer
    ahead: Ahead = field(default_factory=Ahead)

    def open(self, chunk: OpenChunk, limit: int, horizon_seconds: float) -> None:
        """Prepare the next window of `chunk`, or drain or end it as its control row says.

        Permits may lie as far ahead as the horizon; those beyond it are not taken.
        """
        taken: list[int] = []
        try:
            self._open(chunk, limit, horizon_seconds, taken)
        finally:
            # Whatever failed, giving a connection back included: nobody may get lost.
            if chunk.next is None:
                chunk.put_back(taken)

    def _open(self, chunk: OpenChunk, limit: int, horizon_seconds: float, taken: list[int]) -> None:
        now = time.monotonic()
        with self.database.connect() as connection:
            control = repository.read_control(connection, chunk.lease)
        if not control.may_send():
            _stop(chunk, control)
            return
        limits = self.limits.of(_paced(chunk, control))
        chunk.per_second = min((one.per_second for one in limits), default=None)
        taken += chunk.take(window_size(limit, chunk.per_second, limit))
        with self.database.connect() as connection:
            found = repository.read_recipients(connection, chunk.lease, control, taken)
        window = self._prepare(chunk, control, found)
        if window is None:
            chunk.drain()
            return
        wait = self._permits(chunk, control, limits, Wish(len(window.pushes), horizon_seconds))
        if wait > horizon_seconds:
            return
        if control.provider == "fcm" and chunk.lease.message.collapse_id and window.pushes:
            self._spend_budget(chunk, window)
        window.checked_at, window.not_before = now, time.monotonic() + wait
        chunk.next = window

    def may_still_leave(self, chunk: OpenChunk) -> bool:
        """Read the control row of the prepared window again; withdraw it when it must not leave."""
        now = time.monotonic()
        with self.database.connect() as connection:
            control = repository.read_control(connection, chunk.lease)
        if not control.may_send():
            chunk.withdraw()
            _stop(chunk, control)
        elif chunk.next is not None:
            chunk.next.checked_at = now
        return chunk.next is not None

    def _prepare(
        self, chunk: OpenChunk, control: Control, found: tuple[list[Recipient], list[Ended]]
    ) -> Window | None:
        recipients, ended = found
        positions = sorted([one.position for one in recipients] + [end.position for end in ended])
        try:
            provider = self.provider_for(chunk.lease)
        except CarillonError as error:
            verdict = CredentialVerdict("credential_unusable", error.detail)
            chunk.decisions.append(Decision(credential=verdict))
            return None
        prepared = self.preparer.prepare(chunk.lease.message, recipients)
        pushes: list[Addressed] = []
        for recipient, notification in zip(recipients, prepared, strict=True):
            made = _address(chunk, provider, recipient, notification)
            if isinstance(made, Ended):
                ended.append(made)
            else:
                pushes.append(made)
        return Window(positions, pushes, ended, provider, 0.0, control.expires_in_seconds)

    def _permits(
        self, chunk: OpenChunk, control: Control, limits: Sequence[Limit], wish: Wish
    ) -> float:
        if not limits or not wish.pushes:
            return 0.0
        wait = self.pacer.take(control.pacer, limits, wish)
        key = (chunk.lease.message.id, chunk.lease.credential_id)
        if wait <= wish.horizon_seconds:
            self.limits.used(limits, wish.pushes)
            slowest = min(limit.per_second for limit in limits)
            self.ahead.note(key, wait + wish.pushes / slowest)
            return wait
        self.ahead.note(key, wait)
        if wait > HORIZON_SECONDS:
            # Back half a horizon before they are due: then they can be taken ahead.
            chunk.drain(wait - HORIZON_SECONDS / 2)
        return wait

    def _spend_budget(self, chunk: OpenChunk, window: Window) -> None:
        """Let those wait whose registration has had its share of collapsible messages."""
        ids = [push.target_id for push in window.pushes]
        with self.database.begin() as connection:
            waits = collapsible.take(connection, chunk.lease.message.app_id, ids)
        if not waits:
            return
        ended, delayed = list(window.ended), []
        for push in [push for push in window.pushes if push.target_id in waits]:
            wait = waits[push.target_id]
            if wait >= window.expires_in_seconds:
                state = RecipientState.EXPIRED.value
                ended.append(Ended(push.position, state, _COLLAPSE_BUDGET))
            else:
                attempt = chunk.lease.attempt
                delayed.append(Retried(push.position, wait, _COLLAPSE_BUDGET, attempt))
        window.pushes = [push for push in window.pushes if push.target_id not in waits]
        window.ended, window.delayed = ended, delayed


def _paced(chunk: OpenChunk, control: Control) -> Paced:
    message = chunk.lease.message
    return Paced(
        app_id=message.app_id,
        message_id=message.id,
        credential_id=chunk.lease.credential_id,
        provider=control.provider,
        project_id=control.project_id,
        is_transactional=message.lane == "transactional",
        rate_per_second=control.rate_per_second,
        quota_per_minute=control.quota_per_minute,
        learned_share=control.learned_share,
        learned_seconds=control.learned_seconds,
    )


def _stop(chunk: OpenChunk, control: Control) -> None:
    if control.message_state == "cancelled":
        chunk.end_rest(RecipientState.SUPPRESSED, "cancelled")
    elif control.expired:
        chunk.end_rest(RecipientState.EXPIRED, "ttl")
    else:
        chunk.drain()


def push_to(message: MessageFacts, recipient: Recipient, made: Rendered) -> Push:
    """Return the push of a message to one recipient, for whom it has been rendered."""
    notification, texts = made
    return Push(
        id=delivery_id(message.public_id, recipient.device_id),
        message_id=message.public_id,
        token=recipient.token,
        kind=recipient.kind,
        platform=recipient.platform,
        topic=recipient.topic,
        notification=notification,
        expires_at=message.kept_until,
        collapse_id=message.collapse_id,
        priority=message.priority,
        texts=texts,
    )


def _address(
    chunk: OpenChunk, provider: Provider, recipient: Recipient, made: Rendered | Skipped
) -> Addressed | Ended:
    position = recipient.position
    if isinstance(made, Skipped):
        return Ended(position, RecipientState.SUPPRESSED.value, made.reason, made.words or None)
    push = push_to(chunk.lease.message, recipient, made)
    encoded = provider.encode(push)
    if isinstance(encoded, Unsendable):
        return Ended(position, RecipientState.SUPPRESSED.value, encoded.reason, encoded.words)
    return Addressed(position, recipient.target_id, encoded)
