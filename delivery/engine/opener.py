"""Opening a window: control row, recipients, preparation, encoding and permits."""

import time
from dataclasses import dataclass

from sqlalchemy import Engine as Database

from core.errors import CarillonError
from core.ids import delivery_id
from delivery import pacing
from delivery.chunks.chunk import CredentialVerdict, Ended, MessageFacts
from delivery.engine import repository
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.ports import Control, Preparer, ProviderFor, Recipient, Skipped
from delivery.engine.verdict import Decision
from delivery.engine.window import Addressed, Window, window_size
from delivery.push import Provider, Push, Rendered, Unsendable
from delivery.states import RecipientState


@dataclass(frozen=True, slots=True)
class Opener:
    """Turns the front of a chunk's queue into a prepared window."""

    database: Database
    preparer: Preparer
    provider_for: ProviderFor
    fcm_quota_per_minute: int

    def open(self, chunk: OpenChunk, limit: int) -> None:
        """Prepare the next window of `chunk`, or drain or end it as its control row says."""
        taken: list[int] = []
        try:
            self._open(chunk, limit, taken)
        finally:
            # Whatever failed, giving a connection back included: nobody may get lost.
            if chunk.next is None:
                chunk.put_back(taken)

    def _open(self, chunk: OpenChunk, limit: int, taken: list[int]) -> None:
        now = time.monotonic()
        with self.database.connect() as connection:
            control = repository.read_control(connection, chunk.lease)
            if control.may_send():
                taken += chunk.take(window_size(limit, control.rate_per_second, limit))
                found = repository.read_recipients(connection, chunk.lease, control, taken)
        if not control.may_send():
            _stop(chunk, control)
            return
        window = self._prepare(chunk, control, found)
        wait = self._permits(chunk, control, window)
        if window is None or wait > pacing.HORIZON_SECONDS:
            chunk.drain(wait)
            return
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

    def _permits(self, chunk: OpenChunk, control: Control, window: Window | None) -> float:
        limits = self._limits(chunk, control)
        if window is None or not limits or not window.pushes:
            return 0.0
        return pacing.take(self.database, limits, len(window.pushes))

    def _limits(self, chunk: OpenChunk, control: Control) -> list[pacing.Limit]:
        limits = []
        if control.rate_per_second is not None:
            scope = f"message:{chunk.lease.message.id}"
            limits.append(pacing.Limit(scope, control.rate_per_second))
        quota = control.quota_per_minute
        if quota is None and control.provider == "fcm":
            quota = self.fcm_quota_per_minute
        if quota is not None:
            limits.append(pacing.Limit(f"credential:{chunk.lease.credential_id}", quota / 60))
        return limits


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
