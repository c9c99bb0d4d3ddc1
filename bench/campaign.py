"""A personal campaign from one call to the last recorded outcome, on the whole platform.

``python -m bench.campaign``; `./carillon bench campaign` is the same.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import psutil

from bench.audience import CONTENT, Crowd, add_credentials, load
from bench.children import ending_on_signals
from bench.costs import cpu_seconds, per_push
from bench.errors import BenchError
from bench.numbers import whole_number
from bench.platform import Bench, running
from bench.table import table
from delivery.sandbox.client import ControlClient

_QUOTA_PER_MINUTE = 6_000_000
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent: to `devices` devices, by `workers` processes; cancelled at half if so."""

    devices: int
    profile: dict[str, Any]
    workers: int = 1
    cancel: bool = False


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="carillon bench campaign", description=__doc__)
    parser.add_argument("--devices", type=whole_number, default=200_000)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument(
        "--latency", help="of the gateway's answers, such as p50=50,p99=500,max=5000 (ms)"
    )
    parser.add_argument("--cancel", action="store_true", help="cancel it when half of it has ended")
    parser.add_argument("--workers", type=whole_number, default=1, help="processes of the lane")
    args = parser.parse_args(arguments)
    try:
        with ending_on_signals():
            plan = Plan(args.devices, profile(args.latency), args.workers, cancel=args.cancel)
            found = measure(plan)
    except BenchError as error:
        print(f"carillon: {error}", file=sys.stderr)
        return 1
    print(orjson.dumps(found).decode() if args.json else table(found))
    return 0 if found["lost"] == found["duplicates"] == 0 else 1


def profile(latency: str | None) -> dict[str, Any]:
    """Return the sandbox's profile: a sink, at once or with the latency asked for."""
    if latency is None:
        return {"sink": True}
    try:
        parts = dict(part.split("=") for part in latency.split(","))
        given = {name: float(value) for name, value in parts.items()}
    except ValueError:
        raise BenchError("--latency is such as p50=50,p99=500,max=5000") from None
    return {"sink": True, "latency": given}


def measure(plan: Plan) -> dict[str, Any]:
    """Send one campaign and return what it took."""
    with (
        running(plan.profile, {"CARILLON_RAMP_SECONDS": "0"}) as bench,
        contextlib.ExitStack() as further,
    ):
        add_credentials(bench, _QUOTA_PER_MINUTE)
        load(bench, Crowd("p", plan.devices))
        for other in range(1, plan.workers):
            further.enter_context(bench.another_worker("campaign", other))
        workers = bench.workers("campaign")
        before = cpu_seconds()
        wanted = {"to": {"all": True}, "lane": "campaign", "content": CONTENT}
        message = bench.call("POST", "/v1/messages", wanted)
        cancelled_at = _cancel_at_half(bench, message["id"]) if plan.cancel else None
        ended, rss_mb = _watch(bench, workers, message["id"])
        costs = per_push(before, cpu_seconds(), ended["counts"]["accepted"] or 1)
        with ControlClient(bench.sandbox) as control:
            seen = control.stats()
        conditions = bench.conditions(
            quota_per_minute=_QUOTA_PER_MINUTE, ramp_seconds=0, workers=plan.workers
        )
        found = _figures(ended, rss_mb, seen) | {"cpu_us_per_push": costs}
        found["worker_cpu_us_per_push"] = costs.get("campaign_worker", 0.0)
        if cancelled_at is not None:
            found["cancel_seconds"] = round(seen["last_arrival"] - cancelled_at, 3)
        return {**found, "conditions": conditions}


def _cancel_at_half(bench: Bench, message_id: str) -> float:
    """Return when the cancellation was answered, in Unix time."""
    while True:
        message = bench.call("GET", f"/v1/messages/{message_id}")
        ended = sum(message["counts"].values())
        if message["targeted"] and ended >= message["targeted"] / 2:
            bench.call("POST", f"/v1/messages/{message_id}/cancel")
            return time.time()
        time.sleep(_LOOK_SECONDS / 4)


def _watch(
    bench: Bench, workers: Sequence[psutil.Process], message_id: str
) -> tuple[dict[str, Any], float]:
    most = 0
    while True:
        for worker in workers:
            with contextlib.suppress(psutil.Error):
                most = max(most, worker.memory_info().rss)
        message = bench.call("GET", f"/v1/messages/{message_id}")
        if message["finished_at"] is not None:
            return message, most / 1e6
        time.sleep(_LOOK_SECONDS)


def _figures(message: dict[str, Any], rss_mb: float, seen: dict[str, Any]) -> dict[str, Any]:
    started, ended = (
        datetime.fromisoformat(message[name]) for name in ("created_at", "finished_at")
    )
    targeted, seconds = message["targeted"], (ended - started).total_seconds()
    without_end = targeted - sum(message["counts"].values())
    return {
        "devices": targeted,
        "seconds": round(seconds, 2),
        "pushes_per_second": round(targeted / seconds),
        "worker_cpu_us_per_push": 0.0,
        "worker_rss_mb_max": round(rss_mb, 1),
        "distinct_payloads": seen["distinct_payloads"],
        "lost": without_end + message["counts"]["accepted"] - seen["distinct_accepted"],
        "duplicates": seen["duplicates"],
        "counts": {name: count for name, count in message["counts"].items() if count},
    }


if __name__ == "__main__":
    sys.exit(main())
