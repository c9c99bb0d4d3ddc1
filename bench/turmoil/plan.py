"""What is broken in the middle of a campaign, when, and in which order: all from a seed; pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """A sort of disturbance."""

    WORKER_KILL = "worker_kill"
    WORKER_PAUSE = "worker_pause"
    REDIS_WIPE = "redis_wipe"
    REDIS_STOP = "redis_stop"
    DATABASE_RESTART = "database_restart"
    DATABASE_DISCONNECT = "database_disconnect"
    BROKER_STOP = "broker_stop"
    GATEWAY_FREEZE = "gateway_freeze"
    GATEWAY_RESET = "gateway_reset"


# What comes more often than others, once each has come: it is where the promise is hardest.
_WEIGHTS = {Kind.WORKER_KILL: 4, Kind.DATABASE_RESTART: 2, Kind.GATEWAY_RESET: 2}
_FIRST, _LAST = 0.03, 0.9
_JOINED_SHARE = 0.25
# Of the kills, those of a process alone: what it has written still arrives.
_PROCESS_SHARE = 0.5
# For how long connections are silent before they are lost.
_SILENCE_SECONDS = (0.1, 0.5)
_LONGEST_JOIN_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the platform waits for what, in seconds; every length here follows from it."""

    lease: float

    @property
    def lease_margin(self) -> float:
        """How long before the end of a lease nothing leaves any more."""
        return min(5.0, self.lease / 12)

    @property
    def request_timeout(self) -> float:
        """How long an answer is waited for: less than what is left of a lease at worst."""
        return min(20.0, self.lease / 2 - self.lease_margin)

    def doubts_in_freeze(self, seconds: float) -> int:
        """Return how many times over a worker's room for pushes in doubt a freeze may use.

        What times out makes room for others, which may time out as well: half the time is left
        to the gateways for what has piled up meanwhile.
        """
        return 1 + int(seconds / self.request_timeout + 0.5)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One disturbance: at a share of the campaign, or so many seconds after the one before it.

    `draw` in [0, 1) chooses among what could be disturbed.
    """

    kind: Kind
    at_share: float
    after_seconds: float | None
    seconds: float
    draw: float


def make_plan(seed: int, count: int, kinds: Sequence[Kind], pace: Pace) -> list[Disturbance]:
    """Return `count` disturbances in order; each kind comes once before any comes twice."""
    rng = random.Random(f"chaos {seed}")  # noqa: S311 - it shall be repeatable.
    chosen = rng.sample(kinds, min(count, len(kinds)))
    weights = [_WEIGHTS.get(kind, 1) for kind in kinds]
    chosen += rng.choices(kinds, weights, k=count - len(chosen))
    rng.shuffle(chosen)
    stretch = (_LAST - _FIRST) / count
    plan: list[Disturbance] = []
    for number, kind in enumerate(chosen):
        share = _FIRST + (number + rng.random()) * stretch
        is_joined = bool(plan) and rng.random() < _JOINED_SHARE
        after = rng.uniform(0.0, _LONGEST_JOIN_SECONDS)
        seconds = _seconds(kind, rng.random(), pace)
        draw = rng.random()
        plan.append(Disturbance(kind, share, after if is_joined else None, seconds, draw))
    return plan


def _seconds(kind: Kind, draw: float, pace: Pace) -> float:
    """Return how long it lasts; 0 for what is over at once or as soon as it can be."""
    if kind is Kind.WORKER_KILL and draw < _PROCESS_SHARE:
        return 0.0
    least, most = {
        Kind.WORKER_KILL: _SILENCE_SECONDS,
        Kind.GATEWAY_RESET: _SILENCE_SECONDS,
        Kind.WORKER_PAUSE: (1.1 * pace.lease, 1.4 * pace.lease),
        # From answers that are only late to none in time.
        Kind.GATEWAY_FREEZE: (0.3 * pace.request_timeout, 1.3 * pace.request_timeout),
        Kind.REDIS_STOP: (1.0, 4.0),
        Kind.BROKER_STOP: (1.0, 4.0),
        Kind.DATABASE_RESTART: (0.0, 2.0),
    }.get(kind, (0.0, 0.0))
    return round(least + draw * (most - least), 2)
