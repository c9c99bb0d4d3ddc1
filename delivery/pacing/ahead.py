"""How far ahead permits are given: what this worker learned of it when it asked last."""

from collections.abc import Collection

from core.clock import steady_seconds
from delivery.pacing.gcra import HORIZON_SECONDS

# A rate may be raised meanwhile: what is far away is asked for again after this.
_TRUST_SECONDS = 0.5

Key = tuple[int, int]  # a message and a credential


class Ahead:
    """When the next permit of each message and credential is due, by the monotonic clock."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}

    def note(self, key: Key, seconds: float) -> None:
        """Note that the next permit is due in so many seconds, or later."""
        now = steady_seconds()
        found = {other: due for other, due in self._due.items() if due > now}
        found[key] = now + min(seconds, HORIZON_SECONDS + _TRUST_SECONDS)
        # At once, for another thread reads it.
        self._due = found

    def seconds(self, key: Key) -> float:
        """Return the seconds until the next permit, as far as is known."""
        return max(0.0, self._due.get(key, 0.0) - steady_seconds())

    def far(self) -> Collection[Key]:
        """Return those whose permits are too far away to ask for."""
        until = steady_seconds() + HORIZON_SECONDS
        return [key for key, due in self._due.items() if due > until]
