"""What stands in the outbox: kinds of facts, and an entry as its taker sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What can be subscribed to. More kinds will come: takers pass over those they do not know."""

    DELIVERY_ENDED = "delivery.ended"
    DELIVERY_CONFIRMED = "delivery.confirmed"
    DELIVERY_OPENED = "delivery.opened"
    DEVICE_CHANGED = "device.changed"
    DEVICE_REMOVED = "device.removed"
    PERSON_CHANGED = "person.changed"
    SEGMENT_ENTERED = "segment.entered"
    SEGMENT_LEFT = "segment.left"


@dataclass(frozen=True, slots=True)
class Entry:
    """Up to 500 facts of one kind for one subscription, held until the lease ends.

    `facts` names devices and people by their inner ids where they were written by the thousand.
    `attempt` is 1 at the first claim; an acknowledgement counts only for the latest one.
    """

    app_id: int
    id: int
    subscription_id: int
    kind: str
    facts: Mapping[str, Any]
    created_at: datetime
    attempt: int
