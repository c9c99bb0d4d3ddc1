"""A message as delivery knows it: what was asked for, and what became of it so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from delivery.states import MessageState

# A message ends at the latest this long after its audience was cut, whatever its TTL.
HARD_END_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What a caller asks to send. `audience` holds ids of ours, never the caller's."""

    lane: str
    type: str
    policy: str
    content: Mapping[str, Any]
    audience: Mapping[str, Any]
    ttl_seconds: int
    collapse_id: str | None
    priority: str
    rate_per_second: float | None
    send_at: datetime | None
    is_test: bool = False
    weight: int = 1
    replay_of: str | None = None  # the public id of a message of the app


@dataclass(frozen=True, slots=True)
class Message:
    """One stored message; times are aware UTC."""

    app_id: int
    id: int
    public_id: str
    day: date | None
    lane: str
    type: str
    state: MessageState
    policy: str
    content: Mapping[str, Any]
    audience: Mapping[str, Any]
    ttl_seconds: int
    collapse_id: str | None
    priority: str
    rate_per_second: float | None
    weight: int
    send_at: datetime
    expires_at: datetime | None
    targeted: int | None
    failed_reason: str | None
    is_test: bool
    replay_of: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    first_pass_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Recipients that wait for something: a retry, a credential, a paused message."""

    reason: str
    words: str
    recipients: int
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The recipients of a message: those that ended, by state and reason, and those still open.

    `receipts` are the devices that report how far it came, by milestone.
    """

    counts: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]]
    open: int
    waiting: tuple[Waiting, ...] = field(default=())
    receipts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The end of one recipient; `device` is the public id of `device_id`."""

    device_id: int | None
    device: str | None
    person_id: int | None
    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    at: datetime
