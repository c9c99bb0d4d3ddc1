"""A personal campaign from one call to the last recorded outcome, on the whole platform.

``python -m bench.campaign``; `./carillon bench campaign` is the same.
"""

import argparse
import contextlib
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import psutil

from bench.children import ending_on_signals
from bench.errors import BenchError
from bench.numbers import whole_number
from bench.platform import Bench, running
from delivery.sandbox.client import ControlClient
from delivery.sandbox.credentials import make_apns_key, make_service_account
from delivery.sandbox.tokens import apns_token, fcm_token

_PROJECT, _TOPIC = "bench-project", "com.example.bench"
_QUOTA_PER_MINUTE = 6_000_000
_LOOK_SECONDS = 0.1
_NAMES = ("Ada", "Björn", "Chidi", "Elif", "Fatima", "Hana", "Inés", "Jamal", "Léa", "Zoë")
_CONTENT = {
    "title": "Hello {{ first_name }}",
    "body": "{{ first_name }}, you have {{ points }} points: number {{ serial }} of our list.",
    "deep_link": "app://offers",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a worker used: CPU seconds, and the most memory seen, in MB."""

    cpu_seconds: float
    rss_mb: float


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="carillon bench campaign", description=__doc__)
    parser.add_argument("--devices", type=whole_number, default=200_000)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument(
        "--latency", help="of the gateway's answers, such as p50=50,p99=500,max=5000 (ms)"
    )
    args = parser.parse_args(arguments)
    try:
        with ending_on_signals():
            found = measure(args.devices, profile(args.latency))
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


def measure(devices: int, sandbox_profile: dict[str, Any]) -> dict[str, Any]:
    """Send one campaign to `devices` devices and return what it took."""
    with running(sandbox_profile, {}) as bench:
        _fill(bench, devices)
        worker = bench.worker("campaign")
        before = worker.cpu_times()
        wanted = {"to": {"all": True}, "lane": "campaign", "content": _CONTENT}
        message = bench.call("POST", "/v1/messages", wanted)
        ended, rss_mb = _watch(bench, worker, message["id"])
        after = worker.cpu_times()
        cpu = after.user + after.system - before.user - before.system
        with ControlClient(bench.sandbox) as control:
            seen = control.stats()
        return _figures(ended, Cost(cpu, rss_mb), seen)


def _fill(bench: Bench, devices: int) -> None:
    account = make_service_account(_PROJECT, bench.sandbox.token_uri)
    key = make_apns_key()
    with ControlClient(bench.sandbox) as control:
        control.register_service_account(account)
        control.register_apns_key(key, _TOPIC)
    path = f"/v1/apps/{bench.app_id}/credentials"
    common = {"quota_per_minute": _QUOTA_PER_MINUTE}
    bench.call(
        "POST", path,
        {"kind": "service_account", "name": "FCM", "service_account": account, **common},
    )  # fmt: skip
    bench.call(
        "POST", path,
        {"kind": "token", "name": "APNs", "p8": key.p8, "key_id": key.key_id,
         "team_id": key.team_id, "topic": _TOPIC, "environment": "production", **common},
    )  # fmt: skip
    people, targets = bench.folder / "people.csv", bench.folder / "devices.csv"
    _write(people, ["external_id", "first_name", "points", "serial"], _people(devices))
    columns = [
        "installation_id",
        "person",
        "platform",
        "provider",
        "kind",
        "environment",
        "token",
        "permission",
    ]
    _write(targets, columns, _devices(devices))
    bench.load("people", people)
    bench.load("devices", targets)


def _write(path: Path, columns: list[str], lines: Iterator[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(lines)


def _people(count: int) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        yield f"p{number}", _NAMES[number % len(_NAMES)], number * 7 % 10_000, number


def _devices(count: int) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        if number % 3:
            token = fcm_token("accepted", number)
            yield (
                f"bench-{number:07}",
                f"p{number}",
                "android",
                "fcm",
                "token",
                "",
                token,
                "granted",
            )
        else:
            token = apns_token("accepted", number)
            yield (
                f"bench-{number:07}",
                f"p{number}",
                "ios",
                "apns",
                "alert",
                "production",
                token,
                "granted",
            )


def _watch(bench: Bench, worker: psutil.Process, message_id: str) -> tuple[dict[str, Any], float]:
    most = 0
    while True:
        with contextlib.suppress(psutil.Error):
            most = max(most, worker.memory_info().rss)
        message = bench.call("GET", f"/v1/messages/{message_id}")
        if message["finished_at"] is not None:
            return message, most / 1e6
        time.sleep(_LOOK_SECONDS)


def _figures(message: dict[str, Any], cost: Cost, seen: dict[str, Any]) -> dict[str, Any]:
    started, ended = (
        datetime.fromisoformat(message[name]) for name in ("created_at", "finished_at")
    )
    targeted, seconds = message["targeted"], (ended - started).total_seconds()
    without_end = targeted - sum(message["counts"].values())
    return {
        "devices": targeted,
        "seconds": round(seconds, 2),
        "pushes_per_second": round(targeted / seconds),
        "worker_cpu_us_per_push": round(cost.cpu_seconds / targeted * 1e6, 1),
        "worker_rss_mb_max": round(cost.rss_mb, 1),
        "distinct_payloads": seen["distinct_payloads"],
        "lost": without_end + message["counts"]["accepted"] - seen["distinct_accepted"],
        "duplicates": seen["duplicates"],
        "counts": {name: count for name, count in message["counts"].items() if count},
    }


def table(found: dict[str, Any]) -> str:
    """Return the figures for people."""
    return "\n".join(f"{name:24} {value}" for name, value in found.items())


if __name__ == "__main__":
    sys.exit(main())
