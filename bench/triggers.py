"""How long after an event somebody is told to have entered or left a watched segment.

``python -m bench.triggers``; `./carillon bench triggers` is the same. The client, who also takes
what the outbox tells, shares the cores.
"""

import argparse
import contextlib
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import orjson
from sqlalchemy import Engine, text

from bench.children import ending_on_signals
from bench.errors import BenchError
from bench.ingest import ingest_process
from bench.numbers import whole_number
from bench.platform import Bench, running
from bench.probes import percentile
from bench.table import table
from core.database import open_engine
from delivery.outbox import repository as outbox
from delivery.outbox.entry import Kind

_BATCH: Final = 20
_CALLERS: Final = 8
_EVENT: Final = "order_placed"
_BEFORE: Final = "app_open"
_READY_SECONDS: Final = 120.0
# Shorter than the time until a comparison of all finds what triggers passed over.
_QUIET_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.02
_LEASE_SECONDS: Final = 60.0
_DID = {"type": "event", "name": _EVENT, "operator": "at_least", "value": 1,
        "window": {"last": "30 days"}}  # fmt: skip
# Who orders enters one and leaves the other. The third reads these events, and changes for nobody;
# the fourth reads others.
_WATCHED: Final[Mapping[str, Any]] = {
    "ordered": _DID,
    "never ordered": {"type": "not", "of": _DID},
    "ordered often": {**_DID, "value": 5},
    "opened often": {**_DID, "name": _BEFORE, "value": 5},
}


@dataclass(slots=True)
class Told:
    """When each change was first seen by its taker, by kind and inner id, and how often."""

    at: dict[tuple[str, int], float] = field(default_factory=dict)
    times: Counter[tuple[str, int]] = field(default_factory=Counter)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    args = _parser().parse_args(arguments)
    try:
        with ending_on_signals():
            found = measure(args.rate, args.seconds)
    except BenchError as error:
        print(f"carillon: {error}", file=sys.stderr)
        return 1
    print(orjson.dumps(found).decode() if args.json else table(found))
    return 0 if found["missing"] == found["twice"] == 0 else 1


def measure(rate: int, seconds: int) -> dict[str, Any]:
    """Send so many events a second, each by somebody else; return how long the changes took."""
    count = rate * seconds
    with running({}, {}) as bench, ingest_process(bench) as (port, _):
        engine = open_engine(bench.pair.database_url, pool_size=2, process="bench")
        with contextlib.closing(_Client(port, bench)) as client:
            client.send_all(_events(_BEFORE, count), None)
            _watch(bench, engine)
            with _taking(engine) as told:
                began = time.monotonic()
                client.send_all(_events(_EVENT, count), rate)
                took = time.monotonic() - began
                _await(told, 2 * count)
        people = _people(engine)
        engine.dispose()
        return {
            "events": count,
            "events_per_second": round(count / took),
            **_figures(client.sent, people, told),
            "conditions": bench.conditions(rate=rate, seconds=seconds, batch_size=_BATCH),
        }


class _Client:
    """Sends events in batches, several at a time; keeps when each person's was due."""

    def __init__(self, port: int, bench: Bench) -> None:
        headers = {"Authorization": bench.http.headers["authorization"]}
        limits = httpx.Limits(max_connections=_CALLERS, max_keepalive_connections=_CALLERS)
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers=headers, limits=limits, timeout=60.0, trust_env=False,
        )  # fmt: skip
        self.sent: dict[str, float] = {}

    def close(self) -> None:
        self._http.close()

    def send_all(self, batches: Iterator[list[dict[str, Any]]], rate: int | None) -> None:
        """Send each batch at its time, or one after the other as they are answered."""
        began = time.monotonic()
        with ThreadPoolExecutor(_CALLERS) as callers:
            answers = []
            for number, batch in enumerate(batches):
                due = time.monotonic() if rate is None else began + number * _BATCH / rate
                time.sleep(max(0.0, due - time.monotonic()))
                answers.append(callers.submit(self._send, batch, due))
            for answer in answers:
                answer.result()

    def _send(self, batch: list[dict[str, Any]], due: float) -> None:
        # Not when a caller was free for it: what waits for one has happened, too.
        self.sent.update((event["person"], due) for event in batch)
        answer = self._http.post("/v1/events", json={"events": batch})
        is_stored = answer.status_code == httpx.codes.MULTI_STATUS and (
            answer.json()["accepted"] == len(batch)
        )
        if not is_stored:
            raise BenchError(f"events: {answer.status_code} {answer.text[:300]}")


def _events(name: str, count: int) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, count, _BATCH):
        at = datetime.now(UTC).isoformat()
        yield [
            {"uuid": str(uuid.uuid4()), "name": name, "person": f"customer-{one}", "at": at,
             "properties": {"total": 49.9, "currency": "EUR"}}
            for one in range(first, min(first + _BATCH, count))
        ]  # fmt: skip


def _watch(bench: Bench, engine: Engine) -> None:
    """Watch the segments, and wait until each was compared for the first time."""
    for name, rule in _WATCHED.items():
        made = bench.call("POST", "/v1/segments", {"name": name, "rule": rule})
        bench.call("PUT", f"/v1/segments/{made['id']}/watch")
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            query = text("SELECT count(*) FROM segment_watch WHERE compared_at IS NULL")
            if not connection.scalar(query):
                return
        time.sleep(_LOOK_SECONDS)
    raise BenchError("the watched segments were not compared")


@contextlib.contextmanager
def _taking(engine: Engine) -> Iterator[Told]:
    """Take from the outbox beside the block what it tells of segments."""
    told, over = Told(), threading.Event()
    with engine.begin() as connection:
        app_id = connection.execute(text("SELECT id FROM app")).scalar_one()
        outbox.subscribe(connection, app_id, "bench", [Kind.SEGMENT_ENTERED, Kind.SEGMENT_LEFT])
    with ThreadPoolExecutor(1) as taker:
        taking = taker.submit(_take, engine, told, over)
        try:
            yield told
        finally:
            over.set()
        taking.result()


def _take(engine: Engine, told: Told, over: threading.Event) -> None:
    while not over.wait(_LOOK_SECONDS):
        with engine.begin() as connection:
            entries = outbox.claim(connection, "bench", lease_seconds=_LEASE_SECONDS)
        now = time.monotonic()
        for entry in entries:
            for fact in entry.facts["members"]:
                key = (entry.kind, fact["person_id"])
                told.at.setdefault(key, now)
                told.times[key] += 1
        if entries:
            with engine.begin() as connection:
                outbox.acknowledge(connection, entries)


def _await(told: Told, changes: int) -> None:
    """Wait until all changes were told; those that are not after a while are missing."""
    deadline = time.monotonic() + _QUIET_SECONDS
    while time.monotonic() < deadline and len(told.at) < changes:
        time.sleep(_LOOK_SECONDS)
    # What is told twice comes later.
    time.sleep(1.0)


def _people(engine: Engine) -> Mapping[str, int]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT external_id, id FROM person"))
        return {row.external_id: row.id for row in found}


def _figures(sent: Mapping[str, float], people: Mapping[str, int], told: Told) -> dict[str, Any]:
    kinds = (Kind.SEGMENT_ENTERED, Kind.SEGMENT_LEFT)
    wanted = {(kind, people[name]): at for name, at in sent.items() for kind in kinds}
    took = [(told.at[key] - at) * 1e3 for key, at in wanted.items() if key in told.at]
    counted = Counter(kind for kind, _ in told.at)
    return {
        "p50_ms": round(percentile(took, 0.5), 1) if took else None,
        "p95_ms": round(percentile(took, 0.95), 1) if took else None,
        "max_ms": round(max(took), 1) if took else None,
        "entered": counted[Kind.SEGMENT_ENTERED],
        "left": counted[Kind.SEGMENT_LEFT],
        "missing": len(wanted) - len(took),
        "twice": sum(times - 1 for times in told.times.values()),
        "watched": len(_WATCHED),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="carillon bench triggers", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rate", type=whole_number, default=1_000, help="events a second (1,000)")
    parser.add_argument(
        "--seconds", type=whole_number, default=30, help="how long they are sent (30)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
