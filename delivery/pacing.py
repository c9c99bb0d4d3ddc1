"""Permits: how many pushes may leave, and when. One PostgreSQL row per paced scope (GCRA)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, text

# A window whose permits are further away than this goes back to the queue.
HORIZON_SECONDS = 1.0
# No message lives longer, and much larger intervals overflow.
_LONGEST_COST_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `per_second` pushes a second within a scope such as `message:7`."""

    scope: str
    per_second: float


_TAKE = text(
    """
    INSERT INTO pace AS p (scope, arrival_at)
    VALUES (:scope, clock_timestamp() + make_interval(secs => :cost))
    ON CONFLICT (scope) DO UPDATE
        SET arrival_at = greatest(p.arrival_at, clock_timestamp()) + make_interval(secs => :cost)
        WHERE p.arrival_at <= clock_timestamp() + make_interval(secs => :horizon)
    RETURNING extract(epoch FROM arrival_at - clock_timestamp())::float8 - :cost AS wait
    """
)
_WAIT = text(
    "SELECT extract(epoch FROM arrival_at - clock_timestamp())::float8 FROM pace "
    "WHERE scope = :scope"
)


def take(engine: Engine, limits: Sequence[Limit], pushes: int) -> float:
    """Reserve permits for `pushes` under all `limits`; return the seconds to wait for them.

    A wait above `HORIZON_SECONDS` means that nothing was reserved: come back then.
    """
    wait = 0.0
    with engine.connect() as connection, connection.begin() as transaction:
        for limit in sorted(limits, key=lambda limit: limit.scope):
            values = {
                "scope": limit.scope,
                "cost": min(pushes / limit.per_second, _LONGEST_COST_SECONDS),
                "horizon": HORIZON_SECONDS,
            }
            found = connection.execute(_TAKE, values).scalar()
            if found is None:
                late = connection.execute(_WAIT, {"scope": limit.scope}).scalar() or 0.0
                transaction.rollback()
                return max(late, HORIZON_SECONDS + 0.01)
            wait = max(wait, found)
    return wait
