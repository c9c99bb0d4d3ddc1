"""Dead letters: recipients that were to be sent to, and did not get it as far as anybody knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery.states import RecipientState

# Whom we did not want to send to is no dead letter: the same reason would hold again.
DEAD_STATES = (
    RecipientState.GONE,
    RecipientState.REJECTED,
    RecipientState.EXPIRED,
    RecipientState.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters; what is None does not narrow. Times are aware, `until` is excluded."""

    message_id: int | None = None
    state: str | None = None
    reason: str | None = None
    provider: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetterGroup:
    """Dead letters of one state and reason: how many, of how many messages, and when."""

    state: str
    reason: str | None
    recipients: int
    messages: int
    first_at: datetime
    last_at: datetime


DEAD_STATE_NAMES: Sequence[str] = tuple(state.value for state in DEAD_STATES)
