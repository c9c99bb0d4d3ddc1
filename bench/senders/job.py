"""What a sender's process is told and what it says; both travel as one JSON line."""

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

APNS, FCM = "apns", "fcm"


@dataclass(frozen=True, slots=True)
class Job:
    """Send `pushes` pushes of a shape to `url`, keeping `in_flight` of them open.

    `signing_key` is a .p8 file's text with its key id and team id; only APNs pushes use it.
    """

    url: str
    ca: str
    shape: str
    pushes: int
    in_flight: int
    signing_key: tuple[str, str, str]
    timeout_seconds: float = 30.0

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` made."""
        return cls(**{**values, "signing_key": tuple(values["signing_key"])})


@dataclass(frozen=True, slots=True)
class Figures:
    """What sending cost: `cpu_seconds` is of the sending process and of its children."""

    sent: int
    answered: int
    seconds: float
    cpu_seconds: float

    @property
    def pushes_per_second(self) -> float:
        """How many pushes were answered in a second of the clock."""
        return self.answered / self.seconds

    @property
    def cpu_us_per_push(self) -> float:
        """How many microseconds of CPU one push took."""
        return self.cpu_seconds / max(1, self.sent) * 1e6


class Meter:
    """Counts the time of the clock and of the CPU from its making on."""

    def __init__(self) -> None:
        self._cpu = _cpu_seconds()
        self._clock = time.perf_counter()

    def read(self, sent: int, answered: int) -> Figures:
        """Return the figures so far."""
        seconds = time.perf_counter() - self._clock
        return Figures(sent, answered, seconds, _cpu_seconds() - self._cpu)


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
