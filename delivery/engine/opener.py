"""Preparing a window: control row, recipients, texts, payloads and permits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine as Database

from core.clock import steady_seconds
from core.database import driver_connection
from core.ids import delivery_id
from delivery.chunks.chunk import Ended, Lease, MessageFacts, Retried
from delivery.engine import holds, repository, superseding
from delivery.engine.holds import Cut
from delivery.engine.ports import Control, Preparer, Recipient, Skipped
from delivery.engine.window import Addressed, Window, window_size
from delivery.pacing import collapsible
from delivery.pacing.ahead import Ahead
from delivery.pacing.gcra import Limit, Wish
from delivery.pacing.limits import Limits, Paced
from delivery.pacing.pacer import Pacer
from delivery.push import Provider, Push, Rendered, Unsendable
from delivery.states import RecipientState

_COLLAPSE_BUDGET = "collapse_budget"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The front of a chunk's queue, to be prepared; permits may lie as far as the horizon.

    At most `most_pushes` of it are sent to; what does not fit goes back.
    """

    lease: Lease
    positions: Sequence[int]
    provider: Provider
    horizon_seconds: float
    most_pushes: int


@dataclass(slots=True)
class Opened:
    """What became of it: a window, or no window because of the control row or the permits.

    `wait_seconds` is for permits; `read_at` is when the control row was read, monotonic.
    """

    control: Control
    read_at: float
    per_second: float | None = None
    window: Window | None = None
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Opener:
    """Prepares windows. Used by one thread beside the engine's, and changes no chunk."""

    database: Database
    preparer: Preparer
    limits: Limits
    pacer: Pacer
    ahead: Ahead = field(default_factory=Ahead)

    def open(self, wanted: Wanted) -> Opened:
        """Prepare a window for the front of `wanted.positions`, as many as its rate allows."""
        lease = wanted.lease
        read_at = steady_seconds()
        with driver_connection(self.database) as connection:
            control, found = repository.read_window(connection, lease, wanted.positions)
        if not control.may_send():
            return Opened(control, read_at)
        limits = self.limits.of(_paced(lease, control))
        per_second = min((one.per_second for one in limits), default=None)
        size = window_size(len(found), per_second, len(found))
        window = self._prepare(
            wanted, control, holds.cut(found[:size], control, wanted.most_pushes)
        )
        opened = Opened(control, read_at, per_second)
        opened.wait_seconds = self._permits(wanted, control, limits, len(window.pushes))
        if opened.wait_seconds <= wanted.horizon_seconds:
            if control.provider == "fcm" and lease.message.collapse_id and window.pushes:
                self._spend_budget(lease, window)
            window.checked_at = window.read_at = read_at
            window.read_time = control.now
            window.not_before = steady_seconds() + opened.wait_seconds
            opened.window = window
        return opened

    def control_of(self, lease: Lease) -> Control:
        """Read the control row of a chunk as it is now."""
        with driver_connection(self.database) as connection:
            return repository.read_control(connection, lease)

    def is_overtaken(self, lease: Lease, window: Window) -> bool:
        """Tell whether a newer message goes first for somebody of a window, as it is now."""
        if lease.message.collapse_id is None or not window.pushes:
            return False
        positions = [push.position for push in window.pushes]
        with driver_connection(self.database) as connection:
            return superseding.execute(connection, lease, positions).fetchone() is not None

    def _prepare(self, wanted: Wanted, control: Control, found: Cut) -> Window:
        recipients, ended = found.recipients, list(found.ended)
        message = wanted.lease.message
        prepared = self.preparer.prepare(message, recipients)
        pushes: list[Addressed] = []
        for recipient, notification in zip(recipients, prepared, strict=True):
            made = _address(message, wanted.provider, recipient, notification)
            if isinstance(made, Ended):
                ended.append(made)
            else:
                pushes.append(made)
        expires = control.expires_in_seconds
        window = Window(found.positions, pushes, ended, wanted.provider, 0.0, expires)
        window.delayed = _delayed(wanted.lease, control, found)
        return window

    def _permits(
        self, wanted: Wanted, control: Control, limits: Sequence[Limit], pushes: int
    ) -> float:
        if not limits or not pushes:
            return 0.0
        wait = self.pacer.take(control.pacer, limits, Wish(pushes, wanted.horizon_seconds))
        key = (wanted.lease.message.id, wanted.lease.credential_id)
        if wait <= wanted.horizon_seconds:
            self.limits.used(limits, pushes)
            slowest = min(limit.per_second for limit in limits)
            self.ahead.note(key, wait + pushes / slowest)
        else:
            self.ahead.note(key, wait)
        return wait

    def _spend_budget(self, lease: Lease, window: Window) -> None:
        """Let those wait whose registration has had its share of collapsible messages."""
        ids = [push.target_id for push in window.pushes]
        with self.database.begin() as connection:
            waits = collapsible.take(connection, lease.message.app_id, ids)
        if not waits:
            return
        ended, delayed = list(window.ended), list(window.delayed)
        for push in [push for push in window.pushes if push.target_id in waits]:
            wait = waits[push.target_id]
            if wait >= window.expires_in_seconds:
                state = RecipientState.EXPIRED.value
                ended.append(Ended(push.position, state, _COLLAPSE_BUDGET))
            else:
                again = Retried(push.position, wait, _COLLAPSE_BUDGET, lease.attempt)
                delayed.append(again)
        window.pushes = [push for push in window.pushes if push.target_id not in waits]
        window.ended, window.delayed = ended, delayed


def _delayed(lease: Lease, control: Control, found: Cut) -> list[Retried]:
    hold, wait = control.hold_reason or "", superseding.wait_seconds(lease)
    held = [Retried(position, seconds, hold, lease.attempt) for position, seconds in found.held]
    newer = superseding.NEWER_FIRST
    return held + [Retried(position, wait, newer, lease.attempt) for position in found.behind]


def _paced(lease: Lease, control: Control) -> Paced:
    message = lease.message
    return Paced(
        app_id=message.app_id,
        message_id=message.id,
        credential_id=lease.credential_id,
        provider=control.provider,
        project_id=control.project_id,
        is_transactional=message.lane == "transactional",
        rate_per_second=control.rate_per_second,
        quota_per_minute=control.quota_per_minute,
        learned_share=control.learned_share,
        learned_seconds=control.learned_seconds,
    )


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
    message: MessageFacts, provider: Provider, recipient: Recipient, made: Rendered | Skipped
) -> Addressed | Ended:
    position = recipient.position
    if isinstance(made, Skipped):
        return Ended(position, RecipientState.SUPPRESSED.value, made.reason, made.words or None)
    push = push_to(message, recipient, made)
    encoded = provider.encode(push)
    if isinstance(encoded, Unsendable):
        return Ended(position, RecipientState.SUPPRESSED.value, encoded.reason, encoded.words)
    return Addressed(position, recipient.target_id, encoded)
