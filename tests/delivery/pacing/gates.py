"""A limit under which many ask, by a clock of its own: what was granted, and when it leaves."""

from dataclasses import dataclass, field, replace

from delivery.pacing.gcra import Limit, Mark, Wish, grant

# Sums of floats.
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Granted:
    """Pushes that got their permits."""

    asked_at: float
    leaves_at: float
    pushes: int


@dataclass(slots=True)
class Gate:
    """One limit and its mark; `now` is seconds since it began."""

    limit: Limit
    now: float = 0.0
    granted: list[Granted] = field(default_factory=list)
    _mark: tuple[float, float, float] | None = None  # due at, rate, reserved at

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def ask(
        self, pushes: int, *, reserved: float = 0.0, settle: float = 0.0, horizon: float = 1.0
    ) -> float | None:
        """Ask for permits; return how long they wait, None when they are refused."""
        limit = replace(self.limit, reserved_per_second=reserved)
        wait, marks = grant([limit], [self._relative()], Wish(pushes, horizon, settle))
        if not marks:
            assert wait > horizon
            return None
        (mark,) = marks
        self._mark = (self.now + mark.due_in, mark.per_second, self.now + mark.reserved_in)
        self.granted.append(Granted(self.now, self.now + wait, pushes))
        return wait

    def _relative(self) -> Mark | None:
        if self._mark is None:
            return None
        due_at, per_second, reserved_at = self._mark
        return Mark(due_at - self.now, per_second, reserved_at - self.now)

    @property
    def total(self) -> int:
        """All pushes that were granted."""
        return sum(one.pushes for one in self.granted)

    @property
    def largest(self) -> int:
        """The largest window that was granted."""
        return max((one.pushes for one in self.granted), default=0)

    def excess(self) -> float:
        """Return by how much the fullest stretch of time exceeds rate, burst and one window."""
        rate, pushes = self.limit.per_second, 0
        worst = least = float("inf")
        for one in sorted(self.granted, key=lambda one: one.leaves_at):
            # What was not used before the stretch that begins with this window.
            least = min(least, pushes - rate * one.leaves_at)
            pushes += one.pushes
            worst = min(worst, least - (pushes - rate * one.leaves_at))
        return -worst - rate * self.limit.burst_seconds - self.largest - _SLACK
