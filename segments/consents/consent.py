"""What a person has agreed to: the kinds there are, and the present state of one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ConsentKind(StrEnum):
    """What may be agreed to."""

    PUSH = "push"
    ANALYTICS = "analytics"


@dataclass(frozen=True, slots=True)
class Consent:
    """A yes or no. Without a `source` it is the app's default, and nobody has said it."""

    kind: str
    granted: bool
    source: str | None = None
    at: datetime | None = None
