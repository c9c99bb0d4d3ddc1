"""What can become of one push at a gateway: a few values, never an exception."""

from dataclasses import dataclass
from enum import StrEnum

# The reason of a refusal that asks the whole project for less.
QUOTA_EXCEEDED = "quota_exceeded"


class Scope(StrEnum):
    """What a retry delay applies to."""

    DEVICE = "device"
    PROJECT = "project"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The gateway took it; `gateway_id` is its own name for the message."""

    gateway_id: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """The registration has ended: an explicit verdict, valid if newer than the registration.

    `at_ms` is when the gateway learned of it (Unix milliseconds), None when it does not say:
    then the start of the send counts.
    """

    reason: str
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never to be retried; `suspect` marks a target that may be wrong, without a verdict."""

    reason: str
    words: str = ""
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Not accepted, so it is free to be sent again.

    `after_seconds` is the gateway's Retry-After, None when it gave none. `counts` is False when
    the gateway never processed the request: then it is no attempt.
    """

    reason: str
    scope: Scope
    after_seconds: float | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Unknown:
    """Written whole, no usable answer: the message's policy decides."""

    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """A fault of the credential, not of the device: the credential stops, the push waits.

    `platforms` names the platforms that stop (FCM third-party authentication stops iOS and web
    only); empty means all.
    """

    reason: str
    words: str
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Taken back before anything of it was written: no attempt, and free to be sent again."""


Outcome = Accepted | Gone | Rejected | Retry | Unknown | Paused | Withdrawn
