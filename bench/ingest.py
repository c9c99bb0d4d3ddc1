"""How many events and registrations the ingest process takes, each on disk when it is answered.

``python -m bench.ingest``; `./carillon bench ingest` is the same. The client shares the cores.
"""

import argparse
import contextlib
import secrets
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import psutil
from sqlalchemy import text

from api.services.platform import Platform, ingest_child
from api.services.readiness import answers_http
from bench.children import ending_on_signals
from bench.errors import BenchError
from bench.lean_client import Load, post, run_load
from bench.numbers import whole_number
from bench.platform import Bench, process, running
from bench.probes import percentile
from bench.servers.ports import free_port
from bench.table import table
from core.database import open_engine

_PEOPLE = 20_000
_BATCH = 100
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Phase:
    """One kind of load: its requests are made beforehand."""

    name: str
    path: str
    bodies: Sequence[bytes]
    connections: int
    each: int
    status: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a phase found; CPU in microseconds per request."""

    per_second: float
    p50_ms: float
    p99_ms: float
    server_cpu_us: float
    postgres_cpu_us: float
    client_cpu_us: float
    memory_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    args = _parser().parse_args(arguments)
    try:
        with ending_on_signals():
            found = measure(args.requests, args.batches, args.connections)
    except BenchError as error:
        print(f"carillon: {error}", file=sys.stderr)
        return 1
    print(orjson.dumps(found).decode() if args.json else table(found))
    return 0 if found["lost"] == found["duplicates"] == 0 else 1


def measure(requests: int, batches: int, connections: int) -> dict[str, Any]:
    """Run each load once; return the figures."""
    with running({}, {}) as bench, ingest_process(bench) as (port, server):
        key = _key(bench)
        singles = [orjson.dumps(event) for event in _events(requests)]
        many = [orjson.dumps({"events": list(_events(_BATCH))}) for _ in range(batches)]
        phones = [orjson.dumps(_phone(number)) for number in range(requests)]
        warm = [orjson.dumps(event) for event in _events(max(200, requests // 10))]
        phases = [
            Phase("warm_up", "/v1/events", warm, connections, 1, 201),
            Phase("batched_events", "/v1/events", many, max(1, connections // 8), _BATCH, 207),
            Phase("single_requests", "/v1/events", singles, connections, 1, 201),
            Phase("registrations", "/v1/devices", phones, connections, 1, 201),
        ]
        found = {phase.name: _run(bench, port, server, key, phase) for phase in phases}
        sent = len(warm) + len(singles) + _BATCH * len(many)
        return {
            **_figures(found),
            **_audit(bench, sent, len(phones)),
            "conditions": bench.conditions(
                requests=requests, batches=batches, connections=connections, batch_size=_BATCH
            ),
        }


def _figures(found: dict[str, Found]) -> dict[str, Any]:
    measured = {name: one for name, one in found.items() if name != "warm_up"}
    figures: dict[str, Any] = {
        f"{name}_per_second": round(one.per_second) for name, one in measured.items()
    }
    figures["p99_ms"] = round(max(one.p99_ms for one in measured.values()), 1)
    for name, one in measured.items():
        figures |= {
            f"{name}_p50_ms": round(one.p50_ms, 1),
            f"{name}_p99_ms": round(one.p99_ms, 1),
            f"{name}_server_cpu_us": round(one.server_cpu_us),
            f"{name}_postgres_cpu_us": round(one.postgres_cpu_us),
            f"{name}_client_cpu_us": round(one.client_cpu_us),
        }
    figures["memory_mb"] = [round(one.memory_mb) for one in found.values()]
    return figures


def _run(bench: Bench, port: int, server: psutil.Process, key: str, phase: Phase) -> Found:
    database = psutil.Process(bench.pair.postgres.pid)
    requests = iter([post(phase.path, key, body) for body in phase.bodies])
    before = (_cpu(server), _cpu(database), time.process_time())
    load: Load = run_load(port, phase.connections, requests)
    count = len(phase.bodies)
    after = (_cpu(server), _cpu(database), time.process_time())
    if load.statuses != {phase.status: count}:
        raise BenchError(f"{phase.name}: {dict(load.statuses)} instead of {count} x {phase.status}")
    server_us, postgres_us, client_us = (
        (late - early) / count * 1e6 for early, late in zip(before, after, strict=True)
    )
    return Found(
        load.per_second * phase.each,
        percentile(load.seconds, 0.5) * 1e3,
        percentile(load.seconds, 0.99) * 1e3,
        server_us,
        postgres_us,
        client_us,
        max(one.memory_info().rss for one in _family(server)) / 1e6,
    )


def _audit(bench: Bench, sent: int, phones: int) -> dict[str, int]:
    """Return how many of what was answered is not there, and how many there are twice."""
    engine = open_engine(bench.pair.database_url, pool_size=1, process="bench")
    with engine.connect() as connection:
        events, different = connection.execute(
            text("SELECT count(*), count(DISTINCT uuid) FROM event")
        ).one()
        devices = connection.scalar(text("SELECT count(*) FROM device")) or 0
    engine.dispose()
    return {"lost": sent - different + phones - devices, "duplicates": events - different}


@contextlib.contextmanager
def ingest_process(bench: Bench) -> Iterator[tuple[int, psutil.Process]]:
    """Run an ingest process of our own beside the idle platform; yield its port and process."""
    port = free_port()
    folder = bench.folder / "state"
    child = ingest_child(Platform(bench.pair.urls, folder, 0, 0, bench.environment, port))
    with process(child.arguments, child.environment, bench.folder / "ingest.log") as started:
        deadline = time.monotonic() + _START_SECONDS
        while not answers_http(port, "/readyz"):
            if time.monotonic() > deadline:
                raise BenchError("the ingest process did not start")
            time.sleep(0.1)
        yield port, psutil.Process(started.pid)


def _key(bench: Bench) -> str:
    return str(bench.http.headers["authorization"]).removeprefix("Bearer ")


def _events(count: int) -> Iterator[dict[str, Any]]:
    at = datetime.now(UTC).isoformat()
    for _ in range(count):
        yield {
            "uuid": str(uuid.uuid4()),
            "name": "order_placed",
            "person": f"customer-{secrets.randbelow(_PEOPLE)}",
            "at": at,
            "properties": {"total": 49.9, "currency": "EUR", "items": 3, "shop": "corner"},
        }


def _phone(number: int) -> dict[str, Any]:
    return {
        "installation_id": f"phone-{number}-{secrets.token_hex(4)}",
        "provider": "fcm",
        "token": f"d{secrets.token_hex(10)}x:APA91b{secrets.token_hex(60)}",
        "platform": "android",
        "app_version": "4.2.0",
        "locale": "en-GB",
        "time_zone": "Europe/London",
        "permission": "granted",
    }


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in _family(process)]
    own = sum(one.user + one.system for one in times)
    # What has ended meanwhile counts with who waited for it.
    return own + process.cpu_times().children_user + process.cpu_times().children_system


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="carillon bench ingest", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    numbers = {
        "--requests": (20_000, "single events, and as many registrations"),
        "--batches": (500, f"batches of {_BATCH} events"),
        "--connections": (80, "connections of the client, each with one request at a time"),
    }
    for name, (value, words) in numbers.items():
        parser.add_argument(name, type=whole_number, default=value, help=f"{words} ({value})")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
