"""What the engine asks of others: who prepares a window, and which provider sends it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from delivery.chunks.chunk import Lease, MessageFacts
from delivery.pacing.standing import Standing
from delivery.push import Provider, Rendered


# One is made for every push, and freezing it would take eight times as long.
@dataclass(slots=True)
class Recipient:
    """One recipient of a window that may be sent to, with the target found for it."""

    position: int
    device_id: int
    person_id: int | None
    platform: str
    locale: str | None
    time_zone: str | None
    target_id: int
    token: str
    kind: str
    topic: str | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A recipient that gets nothing: `render_error`, `skipped_by_template` …, with words."""

    reason: str
    words: str = ""


class Preparer(Protocol):
    """Turns a window of recipients into notifications or reasons not to send; same order.

    Recipients with the same text but for its blanks share one `Notification` object, also between
    windows of a message as far as it can be kept: encoders work once for all of them.
    """

    def prepare(
        self, message: MessageFacts, recipients: Sequence[Recipient]
    ) -> Sequence[Rendered | Skipped]:
        """Return what each recipient gets or why it gets nothing, in order."""
        ...


ProviderFor = Callable[[Lease], Provider]
Jitter = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Control:
    """The control row of a window: whether it may go on, and how fast."""

    message_state: str
    credential_state: str
    frozen: bool
    killed: bool  # by a kill switch: everybody's, the app's or the credential's
    rate_per_second: float | None
    quota_per_minute: int | None
    provider: str
    environment: str | None
    expired: bool
    now: datetime
    expires_in_seconds: float
    project_id: str | None
    learned_share: float | None  # of the quota, after refusals
    learned_seconds: float  # since that began to be forgotten; negative during a freeze
    # Platforms on hold and for how long still, negative while single pushes are let through.
    held_platforms: Sequence[str] | None
    held_seconds: float
    hold_reason: str | None
    watched: bool  # tokens are refused with this credential, so what else comes counts, too
    guard_rests: bool  # somebody answers for what the gateway says of tokens
    pacer: Standing

    def may_send(self) -> bool:
        """Tell whether windows of this chunk may open now."""
        return (
            self.message_state == "running"
            and self.credential_state == "active"
            and not self.frozen
            and not self.killed
            and not self.expired
        )
