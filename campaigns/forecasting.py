"""When a message would be done: its audience as it is now, and the arithmetic of delivery."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from campaigns import audience
from delivery.fanout import Reached
from delivery.forecasts import repository
from delivery.forecasts.arithmetic import Estimate, Others, Road, estimate, estimate_road
from delivery.forecasts.repository import Way
from delivery.pacing.ramp import FLOOR_PER_SECOND

# What two cores do with every push personal and a slow gateway, with room to spare.
DEFAULT_PLATFORM_PER_SECOND = 5_000.0


@dataclass(frozen=True, slots=True)
class Wish:
    """How the message would be sent; `quota_per_minute` is what FCM is made to allow."""

    lane: str
    rate_per_second: float | None
    quota_per_minute: int | None


@dataclass(frozen=True, slots=True)
class Pacing:
    """What the installation's settings say about FCM."""

    fcm_quota_per_minute: int
    ramp_seconds: float


@dataclass(frozen=True, slots=True)
class Lap:
    """What one credential has to carry, and how long it takes."""

    way: Way
    road: Road
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Forecast:
    """Recipients by the reason why not to send (None: sent to), and how long it all takes."""

    counts: Mapping[str | None, int]
    laps: Sequence[Lap]
    whole: Estimate
    platform_per_second: float
    is_measured: bool


def forecast(
    connection: Connection, app_id: int, to: Mapping[str, Any], wish: Wish, pacing: Pacing
) -> Forecast:
    """Forecast a message to `to`. Raises as `audience.resolve` does; nothing stays stored."""
    reached = audience.reach(connection, app_id, to)
    counts = Counter[str | None]()
    for one in reached:
        counts[one.reason] += one.recipients
    measured = repository.measured_per_second(connection, app_id)
    platform = measured or DEFAULT_PLATFORM_PER_SECOND
    roads = _roads(connection, app_id, reached, wish, pacing)
    total = max(1, counts[None])
    laps = [
        Lap(way, road, estimate_road(road, road.recipients / total, wish.rate_per_second, platform))
        for way, road in roads
    ]
    whole = estimate([lap.road for lap in laps], wish.rate_per_second, platform)
    return Forecast(counts, laps, whole, platform, measured is not None)


def _roads(
    connection: Connection, app_id: int, reached: Sequence[Reached], wish: Wish, pacing: Pacing
) -> Sequence[tuple[Way, Road]]:
    loads = {
        one.credential_id: one.recipients
        for one in reached
        if one.reason is None and one.credential_id is not None
    }
    waiting = repository.others(connection, app_id, list(loads), wish.lane)
    return [
        (way, _road(way, loads[way.id], wish, pacing, waiting.get(way.id, ())))
        for way in repository.ways(connection, app_id, list(loads))
    ]


def _road(way: Way, load: int, wish: Wish, pacing: Pacing, others: Sequence[Others]) -> Road:
    quota = way.quota_per_minute
    if way.provider == "fcm":
        quota = wish.quota_per_minute or quota or pacing.fcm_quota_per_minute
    if quota is None:
        return Road(load, others=others)
    road = Road(load, quota, pacing.ramp_seconds, others)
    return road if road.speed > FLOOR_PER_SECOND else replace(road, ramp_seconds=0.0)
