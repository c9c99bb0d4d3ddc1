"""What FCM lets one Android device have: so many messages, and a budget of collapsible ones."""

from collections import deque
from dataclasses import dataclass, field

MINUTE_SECONDS, HOUR_SECONDS = 60.0, 3_600.0
COLLAPSIBLE_BURST, COLLAPSIBLE_REFILL_SECONDS = 20, 180.0


@dataclass(slots=True)
class DeviceLimits:
    """The messages of each device, by its token; delayed ones are counted."""

    delayed: int = 0
    _taken: dict[str, deque[float]] = field(default_factory=dict)
    _collapsible: dict[str, float] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget all devices."""
        self.delayed = 0
        self._taken.clear()
        self._collapsible.clear()

    def is_full(self, token: str, now: float, per_minute: int | None, per_hour: int | None) -> bool:
        """Tell whether the device has had its share; a message that it may have is counted."""
        if per_minute is None and per_hour is None:
            return False
        taken = self._taken.setdefault(token, deque())
        while taken and taken[0] <= now - HOUR_SECONDS:
            taken.popleft()
        last_minute = sum(moment > now - MINUTE_SECONDS for moment in taken)
        is_full = (per_minute is not None and last_minute >= per_minute) or (
            per_hour is not None and len(taken) >= per_hour
        )
        if not is_full:
            taken.append(now)
        return is_full

    def spend_collapsible(self, token: str, now: float) -> None:
        """Count a collapsible message; beyond the budget FCM takes it, and delivers it later."""
        # When the budget is whole again; each message takes three minutes of it.
        whole_at = max(self._collapsible.get(token, 0.0), now)
        if whole_at - now > (COLLAPSIBLE_BURST - 1) * COLLAPSIBLE_REFILL_SECONDS:
            self.delayed += 1
        self._collapsible[token] = whole_at + COLLAPSIBLE_REFILL_SECONDS
