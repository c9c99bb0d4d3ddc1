"""A leased chunk, and the step that records what happened to some of its recipients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What the engine needs of a message; `content` is opaque to it."""

    app_id: int
    id: int
    public_id: str
    day: date
    policy: str
    content: Mapping[str, Any]
    collapse_id: str | None
    priority: str
    rate_per_second: float | None
    lane: str
    weight: int  # its share of the workers beside other messages of the app
    expires_at: datetime  # the hard end of sending
    kept_until: datetime  # how long a gateway keeps it for a device that is away


@dataclass(frozen=True, slots=True)
class Lease:
    """A chunk held by this worker, as it was when claimed.

    Position i is the recipient (person_ids[i], device_ids[i]); `open` are positions below
    `intended` without an end: after a crash they are in doubt. A chunk is abandoned when whoever
    held it before never handed it back.
    """

    id: int
    message: MessageFacts
    credential_id: int
    credential_updated_at: datetime
    attempt: int
    first_attempt_at: datetime | None
    device_ids: Sequence[int]
    person_ids: Sequence[int | None]
    intended: int
    open: Sequence[int]
    cursor: int
    fence: int
    wait_reason: str | None = None  # why it was handed on before, if it was
    is_abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """One recipient reached a terminal state."""

    position: int
    state: str
    reason: str | None = None
    gateway: str | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """One recipient goes on in a new chunk; in doubt if a gateway may have it already."""

    position: int
    delay_seconds: float
    reason: str
    attempt: int
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class TargetVerdict:
    """What a gateway said about a registration; it holds if newer than the registration."""

    target_id: int
    state: str  # retired, suspect
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CredentialVerdict:
    """A credential stops: paused until it works again, or its project is frozen for some seconds.

    `slow_down` tells that the gateway wants less, not only later. With `platforms` these alone
    are put on hold, in the whole project.
    """

    reason: str
    words: str
    freeze_seconds: float | None = None
    slow_down: bool = False
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One recording transaction of a chunk: intents, ends, retries and their consequences.

    Position `accepted[i]` was taken by its gateway, which named it `gateway_ids[i]`: nearly all
    end like this, so they have no objects of their own.
    """

    intended: int
    open: Sequence[int]
    accepted: Sequence[int] = ()
    gateway_ids: Sequence[str] = ()
    ended: Sequence[Ended] = ()
    retried: Sequence[Retried] = ()
    targets: Sequence[TargetVerdict] = ()
    credential: CredentialVerdict | None = None
    release: bool = False
    due_in_seconds: float = 0.0

    def settled(self) -> int:
        """Return how many recipients leave the chunk with this step."""
        return len(self.accepted) + len(self.ended) + len(self.retried)
