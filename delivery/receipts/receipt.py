"""What a phone says of a push that reached it, and what becomes of saying so."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Milestone(StrEnum):
    """How far a push came behind the gateway. Milestones add to the terminal state: none is one."""

    CONFIRMED = "confirmed"
    OPENED = "opened"


class Fate(StrEnum):
    """What became of a receipt."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNKNOWN_DELIVERY = "unknown_delivery"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One report. `delivery_id` and `milestone` are its natural key: the first one counts.

    `at` is aware, by our clock. `device_id` is the device that speaks; None when a server does.
    """

    delivery_id: str
    milestone: Milestone
    at: datetime
    device_id: int | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A milestone of one delivery: when, and whether the phone said so or it was concluded."""

    milestone: str
    at: datetime
    is_implied: bool
