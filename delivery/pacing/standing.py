"""Which pacer gives the permits: Redis, or PostgreSQL while Redis is away. Never both.

Each change begins a new epoch. Permits of the one before may still be on their way for as long as
they are given ahead, so those of the new epoch begin after that.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from core.clock import steady_seconds
from core.database import rows
from delivery.pacing.gcra import HORIZON_SECONDS

# How old the knowledge of a worker may be that asks the pacer of before.
_STALE_SECONDS = 0.25
_LEAST_STAY_SECONDS, _LONGEST_STAY_SECONDS = 5, 300

_READ = """
SELECT installation, epoch, live, stay_seconds,
       extract(epoch FROM clock_timestamp() - switched_at)::float8 AS age_seconds
FROM pacer
"""
# The first epoch of an installation has nothing to wait for. Whoever comes and goes is left
# alone for longer each time, for every change costs a second of the quota.
_SWITCH = f"""
UPDATE pacer SET epoch = epoch + 1, live = :live,
    installation = CASE WHEN :anew THEN gen_random_uuid() ELSE installation END,
    switched_at = CASE WHEN epoch = 0 THEN switched_at ELSE clock_timestamp() END,
    stay_seconds = CASE WHEN :live = 'redis' THEN stay_seconds
        WHEN clock_timestamp() - switched_at < interval '10 minutes'
            THEN least(stay_seconds * 2, {_LONGEST_STAY_SECONDS})
        ELSE {_LEAST_STAY_SECONDS} END
WHERE epoch = :epoch
"""  # noqa: S608  Numbers of ours.


@dataclass(frozen=True, slots=True)
class Standing:
    """The pacer of now, as PostgreSQL knows it."""

    installation: str
    epoch: int
    live: str  # redis, postgresql
    stay_seconds: float  # Redis is not asked again before that
    age_seconds: float
    read_at: float = field(default_factory=steady_seconds, compare=False)

    def is_stale(self) -> bool:
        """Tell whether this was read so long ago that permits may not be asked for by it.

        A Redis that is away for others only does not know of the epoch that they began.
        """
        return steady_seconds() - self.read_at > _STALE_SECONDS

    def settle_seconds(self) -> float:
        """Return how long permits of the pacer before may still be on their way."""
        return max(0.0, HORIZON_SECONDS + _STALE_SECONDS - self.age_seconds)


def read(connection: Connection) -> Standing:
    """Read which pacer is live."""
    read_at = steady_seconds()
    return of_row(rows(connection, _READ)[0], read_at)


def of_row(row: Any, read_at: float) -> Standing:
    """Return the standing in a row with its columns; it was asked for at `read_at`, monotonic."""
    return Standing(
        installation=str(row.installation),
        epoch=row.epoch,
        live=row.live,
        stay_seconds=row.stay_seconds,
        age_seconds=row.age_seconds,
        read_at=read_at,
    )


def switch(connection: Connection, seen: Standing, live: str, *, anew: bool = False) -> Standing:
    """Begin a new epoch unless somebody has done so since `seen`; return what holds now.

    With `anew` under another name of the installation: nothing of before is found in Redis.
    """
    connection.execute(text(_SWITCH), {"epoch": seen.epoch, "live": live, "anew": anew})
    return read(connection)
