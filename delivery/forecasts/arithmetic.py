"""How long a message takes until everybody was tried once; pure arithmetic without a clock.

What others have waiting is taken to leave first, so the estimate is late rather than early.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from delivery.pacing.limits import QUOTA_SHARE

_STEPS = 60

Limit = Literal["rate", "quota", "platform"]


@dataclass(frozen=True, slots=True)
class Others:
    """Recipients of other messages that wait, and the rate their own message is held to."""

    recipients: int
    rate_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Road:
    """One credential: how many go through it, and how fast its gateway lets them.

    From idle the speed grows evenly to the quota within `ramp_seconds`.
    """

    recipients: int
    quota_per_minute: int | None = None
    ramp_seconds: float = 0.0
    others: Sequence[Others] = ()

    @property
    def speed(self) -> float:
        """Pushes a second at the quota, endless without one."""
        if self.quota_per_minute is None:
            return math.inf
        return QUOTA_SHARE * self.quota_per_minute / 60

    @property
    def slope(self) -> float:
        """By how many pushes a second the speed grows in a second."""
        return self.speed / self.ramp_seconds if self.ramp_seconds else math.inf


@dataclass(frozen=True, slots=True)
class Estimate:
    """The seconds from the start to the first pass, and what makes it take so long."""

    seconds: float
    limited_by: Limit | None


def estimate_road(road: Road, share: float, rate: float | None, platform: float) -> Estimate:
    """Estimate one credential, which gets `share` of the message's rate and of the platform."""
    if not road.recipients:
        return Estimate(0.0, None)
    ceilings: dict[Limit, float] = {"quota": road.speed, "platform": platform * share}
    if rate is not None:
        ceilings["rate"] = rate * share
    limit = min(ceilings, key=lambda name: ceilings[name])
    own = _seconds_for(road.recipients, ceilings[limit], road.slope)
    queued = _seconds_behind(road.recipients, road.others, road.speed, road.slope)
    in_ramp = road.slope < math.inf and own * road.slope <= ceilings[limit]
    return Estimate(max(own, queued), "quota" if queued >= own or in_ramp else limit)


def estimate(roads: Sequence[Road], rate: float | None, platform: float) -> Estimate:
    """Estimate a message that takes several roads at once; `platform` is pushes a second."""
    total = sum(road.recipients for road in roads)
    if not total:
        return Estimate(0.0, None)
    found = [estimate_road(road, road.recipients / total, rate, platform) for road in roads]
    others = [one for road in roads for one in road.others]
    found.append(Estimate(_seconds_behind(total, others, platform, math.inf), "platform"))
    return max(found, key=lambda one: one.seconds)


def _seconds_for(pushes: float, speed: float, slope: float) -> float:
    """Return how long `pushes` take when the speed grows by `slope` up to `speed`."""
    ramp = speed / slope if slope < math.inf else 0.0
    if pushes <= ramp * speed / 2:
        return math.sqrt(2 * pushes / slope)
    return ramp / 2 + pushes / speed


def _pushes_in(seconds: float, speed: float, slope: float) -> float:
    ramp = min(seconds, speed / slope) if slope < math.inf else 0.0
    return ramp * ramp * slope / 2 + (seconds - ramp) * speed if ramp else seconds * speed


def _seconds_behind(pushes: int, others: Sequence[Others], speed: float, slope: float) -> float:
    """Return when `pushes` have left behind the others, which come no faster than their rates."""
    if speed == math.inf:
        return 0.0
    latest = _seconds_for(pushes + sum(one.recipients for one in others), speed, slope)
    if all(one.rate_per_second is None for one in others):
        return latest

    def is_over(seconds: float) -> bool:
        wanted = pushes + sum(_come_in(seconds, one) for one in others)
        return _pushes_in(seconds, speed, slope) >= wanted

    return _first(is_over, latest)


def _come_in(seconds: float, others: Others) -> float:
    if others.rate_per_second is None:
        return others.recipients
    return min(others.recipients, others.rate_per_second * seconds)


def _first(is_over: Callable[[float], bool], latest: float) -> float:
    """Return when `is_over` comes true; it stays true from then on, and is so at `latest`.

    What has left is convex in time and what has come is concave, so they cross only once.
    """
    earliest = 0.0
    for _ in range(_STEPS):
        middle = (earliest + latest) / 2
        if is_over(middle):
            latest = middle
        else:
            earliest = middle
    return latest
