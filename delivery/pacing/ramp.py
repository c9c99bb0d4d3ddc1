"""The ramp of a quota: what was idle comes up slowly, in step for all workers.

FCM asks its senders to come up from nothing to their full rate over a minute at least. The level
is the share of the quota that may be used now. It rises while that share is used and falls while
it is not, at the same pace, so a trickle does not open the gates for a flood.
"""

from dataclasses import dataclass

from sqlalchemy import Engine, text

from core.clock import steady_seconds
from core.database import begin_unhurried

_REFRESH_SECONDS = 1.0
# Slower than this nothing needs a ramp.
FLOOR_PER_SECOND = 10.0
_NOTE = text(
    """
    INSERT INTO pace AS p (scope, level, level_at)
    VALUES (:scope, :floor, clock_timestamp())
    ON CONFLICT (scope) DO UPDATE SET
        pushes = CASE WHEN coalesce(p.level_at > clock_timestamp() - interval '1 second', false)
            THEN p.pushes + :pushes ELSE 0 END,
        level_at = CASE WHEN coalesce(p.level_at > clock_timestamp() - interval '1 second', false)
            THEN p.level_at ELSE clock_timestamp() END,
        level = CASE
            WHEN p.level_at IS NULL THEN :floor
            WHEN p.level_at > clock_timestamp() - interval '1 second' THEN p.level
            WHEN p.pushes + :pushes >= :per_second * p.level / 2
                    * least(extract(epoch FROM clock_timestamp() - p.level_at)::float8, 2)
                THEN least(1, p.level
                    + least(extract(epoch FROM clock_timestamp() - p.level_at)::float8, 2) / :ramp)
            ELSE greatest(:floor,
                p.level - extract(epoch FROM clock_timestamp() - p.level_at)::float8 / :ramp) END
    RETURNING level
    """
)


@dataclass(slots=True)
class _Known:
    level: float
    read_at: float
    pushes: int = 0  # not told to the others yet


class Ramp:
    """The levels of all quotas this worker uses; PostgreSQL keeps them for all workers."""

    def __init__(self, database: Engine, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._known: dict[str, _Known] = {}

    def level(self, scope: str, per_second: float) -> float:
        """Return the share of `per_second` that may be used now, above 0 and at most 1."""
        floor = self._floor(per_second)
        if floor >= 1:
            return 1.0
        known, now = self._known.get(scope), steady_seconds()
        if known is None or now - known.read_at >= _REFRESH_SECONDS:
            level = self._note(scope, per_second, floor, known.pushes if known else 0)
            known = self._known[scope] = _Known(level, now)
        return min(1.0, max(floor, known.level))

    def used(self, scope: str, pushes: int) -> None:
        """Count pushes that got their permits."""
        known = self._known.get(scope)
        if known is not None:
            known.pushes += pushes

    def _floor(self, per_second: float) -> float:
        if self._seconds <= 0:
            return 1.0
        return max(1 / self._seconds, FLOOR_PER_SECOND / per_second)

    def _note(self, scope: str, per_second: float, floor: float, pushes: int) -> float:
        values = {
            "scope": scope,
            "floor": floor,
            "pushes": pushes,
            "per_second": per_second,
            "ramp": self._seconds,
        }
        # Nobody is told anything that a crash could turn into an untruth.
        with begin_unhurried(self._database) as connection:
            return float(connection.execute(_NOTE, values).scalar_one())
