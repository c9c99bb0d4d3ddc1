"""Whether a campaign uses its quota whole and never exceeds it, as the gateway counts.

``python -m bench.pacing``; `./carillon bench pacing` is the same.
"""

import argparse
import contextlib
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bench.audience import Crowd, add_credentials, load
from bench.campaigns import Campaigns
from bench.children import ending_on_signals
from bench.disturbance import Disturbance
from bench.errors import BenchError
from bench.numbers import seconds, whole_number
from bench.platform import Bench, running
from bench.seconds import Seconds, read_seconds, total
from bench.table import table

_LANE = "campaign"
# More than the quota allows in the time that is measured: nothing may run dry.
_RESERVE = 1.1
# Pushes leave before the first whole second, and a burst of them at once.
_BEFORE_SECONDS = 5.0
_FIRST_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_ACCEPTED, _THROTTLED = 200, 429


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent: `quota` a minute for `seconds` after a ramp, by so many workers."""

    quota: int
    seconds: int
    ramp: float
    devices: int
    workers: int
    disturbance: Disturbance

    def messages(self) -> int:
        """Return how many campaigns to all devices outlast the measurement."""
        pushes = self.quota / 60 * (self.seconds + self.ramp + _BEFORE_SECONDS) * _RESERVE
        return math.ceil(pushes / self.devices)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    args = _parser().parse_args(arguments)
    disturbance = Disturbance(args.wipe_redis, args.stop_redis)
    plan = Plan(args.quota, args.seconds, args.ramp, args.devices, args.workers, disturbance)
    try:
        with ending_on_signals():
            found = measure(plan)
    except BenchError as error:
        print(f"carillon: {error}", file=sys.stderr)
        return 1
    print(orjson.dumps(found).decode() if args.json else table(found))
    return 0 if found["lost"] == found["duplicates"] == 0 else 1


def measure(plan: Plan) -> dict[str, Any]:
    """Send campaigns to the same devices under a quota; return what the gateway counted."""
    settings = {"CARILLON_RAMP_SECONDS": str(plan.ramp)}
    profile = {"sink": True, "fcm_quota_per_minute": plan.quota}
    with running(profile, settings) as bench, contextlib.ExitStack() as further:
        add_credentials(bench, plan.quota)
        load(bench, Crowd("p", plan.devices, fcm_only=True))
        for other in range(1, plan.workers):
            further.enter_context(bench.another_worker(_LANE, other))
        campaigns = Campaigns(bench)
        campaigns.make(plan.messages())
        # The first push came within a second that is not counted.
        start = _await_first(bench) + 1 + math.ceil(plan.ramp)
        disturbing = plan.disturbance.begin(bench.pair, start + plan.seconds / 2)
        time.sleep(max(0.0, start + plan.seconds - time.time()))
        is_dry = campaigns.are_over()
        found = read_seconds(bench)
        disturbing.join()
        if is_dry:
            raise BenchError("the campaigns ended before the measurement: give more --devices")
        campaigns.end()
        return {
            **figures(found, start, plan),
            **campaigns.judge(),
            "conditions": _conditions(bench, plan),
        }


def _await_first(bench: Bench) -> int:
    """Wait for the first push and return its second of Unix time."""
    deadline = time.monotonic() + _FIRST_SECONDS
    while time.monotonic() < deadline:
        found = read_seconds(bench)
        if found:
            return min(second for second, _ in found)
        time.sleep(_LOOK_SECONDS)
    raise BenchError("no push came to the gateway")


def figures(found: Seconds, start: int, plan: Plan) -> dict[str, Any]:
    """Return what the gateway counted from a second on, for as long as the plan says."""
    within = range(start, start + plan.seconds)
    accepted, throttled = total(found, within, _ACCEPTED), total(found, within, _THROTTLED)
    requests = total(found, within)
    by_second = [total(found, (second,), _ACCEPTED) for second in within]
    return {
        "quota_share": round(accepted / (plan.quota / 60 * plan.seconds), 4),
        "share_429": round(throttled / requests, 6) if requests else 0.0,
        "workers": plan.workers,
        "requests": requests,
        "accepted": accepted,
        "throttled": throttled,
        "least_in_a_second": min(by_second),
        "most_in_a_second": max(by_second),
        "throttled_in_all": sum(count for (_, got), count in found.items() if got == _THROTTLED),
    }


def _conditions(bench: Bench, plan: Plan) -> dict[str, Any]:
    return bench.conditions(
        quota_per_minute=plan.quota,
        ramp_seconds=plan.ramp,
        seconds=plan.seconds,
        devices=plan.devices,
        messages=plan.messages(),
        redis_wiped=plan.disturbance.wipe,
        redis_stopped_seconds=plan.disturbance.stop_seconds,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="carillon bench pacing", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    numbers = {
        "--quota": (300_000, "pushes a minute"),
        "--seconds": (120, "how long is measured, after the ramp"),
        "--devices": (50_000, "devices, to which one campaign after the other is sent"),
    }
    for name, (value, words) in numbers.items():
        parser.add_argument(name, type=whole_number, default=value, help=f"{words} ({value})")
    parser.add_argument("--ramp", type=seconds, default=60.0, help="seconds from 0 up (60)")
    parser.add_argument("--workers", type=int, choices=(1, 2), default=1, help="of the lane (1)")
    parser.add_argument("--wipe-redis", action="store_true", help="FLUSHALL in the middle")
    parser.add_argument(
        "--stop-redis", type=seconds, default=0.0, metavar="SECONDS", help="stopped in the middle"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
