"""A window: up to 500 recipients prepared together, sent together, but never waited for as one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from delivery.chunks.chunk import Ended, Retried
from delivery.engine.verdict import Decision
from delivery.push import Encoded, Provider, Report

# A window closes when this share has answered, or after this long: it is no barrier.
CLOSE_SHARE = 0.98
CLOSE_SECONDS = 0.5
# At most this long a stretch of the message's rate is planned at once.
RATE_STRETCH_SECONDS = 0.25
_LONG_AGO = datetime.fromtimestamp(0, UTC)


# One is made for every push, and freezing it would take four times as long.
@dataclass(slots=True)
class Addressed:
    """An encoded push and the recipient it is for."""

    position: int
    target_id: int
    encoded: Encoded


@dataclass(slots=True)
class Window:
    """Recipients on their way. Moments are monotonic seconds."""

    positions: Sequence[int]
    pushes: Sequence[Addressed]
    ended: Sequence[Ended]  # suppressed while preparing
    provider: Provider
    not_before: float
    expires_in_seconds: float
    # When its recipients were read: by the database's clock, and by ours.
    read_time: datetime = _LONG_AGO
    read_at: float = 0.0
    checked_at: float = 0.0  # when its control row was read
    is_intended: bool = False
    sent_at: float = 0.0
    late_at: float = 0.0  # an outcome that is missing then will never come
    is_overdue: bool = False  # seen to be late once, and what has come is read before the next look
    answered: int = 0
    # On their way, by the identity of what was handed to the provider.
    unanswered: dict[int, Addressed] = field(default_factory=dict)
    delayed: Sequence[Retried] = ()  # those whose registration has to wait
    size: int = 0  # how many pushes left with it
    report: Report | None = None  # told what becomes of each

    def time(self, now: float) -> datetime:
        """Return what the database's clock shows at `now`, whatever the clock of this machine."""
        return self.read_time + timedelta(seconds=now - self.read_at)

    def let_go(self) -> None:
        """Keep no payloads but those that are unanswered: the last answers may take their time."""
        self.pushes = ()

    def decided(self) -> list[Decision]:
        """Return what was decided while preparing; it holds once the window's intent does."""
        ends = [Decision(end=end) for end in self.ended]
        return ends + [Decision(retry=retry) for retry in self.delayed]

    def is_closed(self, now: float) -> bool:
        """Tell whether the next window may open, although stragglers may be missing."""
        return self.answered >= CLOSE_SHARE * self.size or now - self.sent_at >= CLOSE_SECONDS


def window_size(limit: int, rate_per_second: float | None, room: int) -> int:
    """Return how many recipients the next window takes: limit, rate and in-doubt room bound it."""
    size = min(limit, room)
    if rate_per_second is not None:
        size = min(size, max(1, int(rate_per_second * RATE_STRETCH_SECONDS)))
    return max(0, size)
