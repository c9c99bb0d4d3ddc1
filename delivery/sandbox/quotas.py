"""The quota of a project: sends per window, the window beginning with its first send."""


class Quotas:
    """What each project has used of its present window."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}

    def reset(self) -> None:
        """Forget what was used."""
        self._windows.clear()

    def take(self, project: str, limit: int, window_seconds: float, now: float) -> bool:
        """Count a send; False when the project has used its window up."""
        start, used = self._windows.get(project, (now, 0))
        if now - start >= window_seconds:
            start, used = now, 0
        self._windows[project] = (start, used + 1)
        return used < limit

    def left_seconds(self, project: str, window_seconds: float, now: float) -> int:
        """Return what Retry-After says: whole seconds until the project's window ends."""
        start, _ = self._windows[project]
        return max(1, round(start + window_seconds - now))
