"""The quota of a project: sends per minute, the minute beginning with its first send."""

_WINDOW_SECONDS = 60.0


class Quotas:
    """What each project has used of its present minute."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}

    def reset(self) -> None:
        """Forget what was used."""
        self._windows.clear()

    def take(self, project: str, limit: int, now: float) -> bool:
        """Count a send; False when the project has used its minute up."""
        start, used = self._windows.get(project, (now, 0))
        if now - start >= _WINDOW_SECONDS:
            start, used = now, 0
        self._windows[project] = (start, used + 1)
        return used < limit

    def left_seconds(self, project: str, now: float) -> int:
        """Return what Retry-After says: whole seconds until the project's minute ends."""
        start, _ = self._windows[project]
        return max(1, round(start + _WINDOW_SECONDS - now))
