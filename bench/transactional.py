"""How long a transactional push takes from the call to the gateway, idle and beside a campaign.

``python -m bench.transactional``; `./carillon bench transactional` is the same.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.audience import Crowd, add_credentials, load
from bench.campaigns import Campaigns
from bench.children import ending_on_signals
from bench.errors import BenchError
from bench.numbers import whole_number
from bench.platform import Bench, running
from bench.probes import FIRST_TOKEN, Probes, percentile, probe_profile
from bench.seconds import read_seconds, total
from bench.table import table

_QUOTA_PER_MINUTE = 6_000_000
# The first ones open connections and fill caches: not measured.
_WARM_UP = 40
_PHASE_SECONDS = 4
_TURN_SECONDS = 2 * _PHASE_SECONDS
# How much more than expected the campaigns hold.
_RESERVE = 2.0
# So long the first campaign runs before its speed is looked at.
_LOOK_SECONDS = 3.0


@dataclass(slots=True)
class Phases:
    """The whole seconds, of Unix time, in which a campaign ran alone and with probes beside it."""

    alone: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    args = _parser().parse_args(arguments)
    try:
        with ending_on_signals():
            found = measure(args.samples, args.devices, args.rate)
    except BenchError as error:
        print(f"carillon: {error}", file=sys.stderr)
        return 1
    print(orjson.dumps(found).decode() if args.json else table(found))
    return 0 if found["lost"] == found["duplicates"] == 0 else 1


def measure(samples: int, devices: int, rate: int) -> dict[str, Any]:
    """Take half of the samples idle and half beside campaigns; return the figures."""
    half = math.ceil(samples / 2)
    profile = {"sink": True, **probe_profile()}
    with running(profile, {"CARILLON_RAMP_SECONDS": "0"}) as bench:
        add_credentials(bench, _QUOTA_PER_MINUTE)
        load(bench, Crowd("p", devices))
        load(bench, Crowd("probe", half, FIRST_TOKEN, fcm_only=True))
        probes = Probes(bench, "probe", half, rate)
        probes.send("warm-up", most=_WARM_UP)
        probes.send("idle", most=half)
        campaigns = Campaigns(bench)
        phases = _beside(bench, campaigns, probes, half)
        campaigns.end()
        conditions = bench.conditions(
            quota_per_minute=_QUOTA_PER_MINUTE, ramp_seconds=0,
            calls_per_second=rate, campaign_devices=devices + half,
        )  # fmt: skip
        sent = sum(probes.count(phase) for phase in ("warm-up", "idle", "busy"))
        return {
            **_latencies(probes),
            **_speeds(bench, phases, probes.count("busy")),
            "samples": probes.count("idle") + probes.count("busy"),
            **campaigns.judge(sent),
            "conditions": conditions,
        }


def _beside(bench: Bench, campaigns: Campaigns, probes: Probes, wanted: int) -> Phases:
    """Let campaigns run, by turns alone and with probes beside them."""
    campaigns.add()
    time.sleep(_LOOK_SECONDS)
    phases = Phases()
    while probes.count("busy") < wanted:
        turns = math.ceil((wanted - probes.count("busy")) / probes.rate / _PHASE_SECONDS)
        speed = _best_speed(bench) * _RESERVE
        campaigns.stock(speed * _TURN_SECONDS, speed * _TURN_SECONDS * turns)
        start = math.ceil(time.time())
        middle, end = start + _PHASE_SECONDS, start + _TURN_SECONDS
        time.sleep(middle - time.time())
        probes.send("busy", until=end)
        phases.alone += range(start, middle)
        phases.busy += range(middle, end)
        if campaigns.are_over():
            raise BenchError("the campaigns ended before the samples: give more --devices")
    return phases


def _best_speed(bench: Bench) -> float:
    """Return how many pushes the gateway took in the best second so far."""
    return max(count for (_, status), count in read_seconds(bench).items() if status == 200)


def _latencies(probes: Probes) -> dict[str, float]:
    results = probes.results()
    figures = {
        f"{phase}_p{round(share * 100)}_ms": percentile(results[phase]["arrival"], share)
        for phase in ("idle", "busy")
        for share in (0.5, 0.99)
    }
    answers = {
        f"{phase}_answer_p{round(share * 100)}_ms": percentile(results[phase]["answer"], share)
        for phase in ("idle", "busy")
        for share in (0.5, 0.99)
    }
    return {name: round(value, 1) for name, value in (figures | answers).items()}


def _speeds(bench: Bench, phases: Phases, probes: int) -> dict[str, float]:
    """Return the campaigns' speed with probes beside them, alone, and the share."""
    found = read_seconds(bench)
    busy = (total(found, phases.busy, 200) - probes) / len(phases.busy)
    alone = total(found, phases.alone, 200) / len(phases.alone)
    return {
        "busy_campaign_pushes_per_second": round(busy),
        "alone_campaign_pushes_per_second": round(alone),
        "busy_share_of_alone": round(busy / alone, 3) if alone else 0.0,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="carillon bench transactional", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    numbers = {
        "--samples": (2_000, "pushes measured, half of them idle"),
        "--devices": (200_000, "devices of each campaign"),
        "--rate": (40, "calls a second"),
    }
    for name, (value, words) in numbers.items():
        parser.add_argument(name, type=whole_number, default=value, help=f"{words} ({value})")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
