"""How large a push gets on its way through each gateway that can carry it; pure."""

from dataclasses import dataclass
from datetime import datetime

from delivery.providers import apns_payload, fcm_payload
from delivery.providers.content import APNS_LIMIT_BYTES, FCM_LIMIT_BYTES
from delivery.push import Push, Unsendable


@dataclass(frozen=True, slots=True)
class Weight:
    """The bytes a gateway counts, and how many it allows."""

    gateway: str
    bytes: int
    limit_bytes: int


def weigh(push: Push, now: datetime) -> list[Weight] | Unsendable:
    """Return the weight at each gateway that reaches the push's platform, Apple's first."""
    found = []
    if push.platform == "ios":
        size = apns_payload.payload_bytes(push)
        if isinstance(size, Unsendable):
            return size
        found.append(Weight("apns", size, APNS_LIMIT_BYTES))
    size = fcm_payload.push_bytes(push, now)
    if isinstance(size, Unsendable):
        return size
    return [*found, Weight("fcm", size, FCM_LIMIT_BYTES)]
