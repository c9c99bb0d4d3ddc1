"""What it costs to record outcomes: from the report of a result to its row in PostgreSQL.

``python -m bench.recording``; one worker, windows of 500, all answers at once, no gateway.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Engine, text

from bench.errors import BenchError
from bench.numbers import whole_number
from bench.stage import bench_database, cut_message
from core.clock import steady_seconds
from delivery.chunks import repository
from delivery.chunks.chunk import Lease
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.recorder import Recorded, record
from delivery.engine.sender import Sender
from delivery.engine.window import Addressed, Window
from delivery.outcome import Accepted, Gone, Outcome, Rejected, Retry, Scope
from delivery.push import Encoded, Notification, Push, Report, Unsendable
from delivery.retry import RetryRules

_CHUNK = 1_000
_MOST_CHUNKS = 100_000
_LEASE_SECONDS = 600.0
_PROFILES = ("accepted", "mixed")
_TICKS = os.sysconf("SC_CLK_TCK")
_GATEWAY_ID = "projects/bench/messages/0:1700000000000000%{:08x}"
# 5 % of a mixed window do not end well, spread evenly.
_ODD: Sequence[Outcome] = (
    Gone("UNREGISTERED"),
    Rejected("INVALID_ARGUMENT", "The registration token is not valid.", suspect=True),
    Retry("UNAVAILABLE", Scope.DEVICE),
)
_ODD_EVERY = 20
_PUSH = Push(
    str(UUID(int=1)), "msg_bench", "token", "token", "android", None, Notification(),
    datetime(2026, 1, 1, tzinfo=UTC), None, "high",
)  # fmt: skip


@dataclass(slots=True)
class Costs:
    """Worker CPU (s), wall (s) and backend CPU (s) of one run over all devices."""

    pushes: int = 0
    answer_cpu: float = 0.0
    record_cpu: float = 0.0
    record_wall: float = 0.0
    backend_cpu: float = 0.0

    def per_push(self) -> dict[str, float]:
        """Return microseconds per push."""
        shares = {
            "worker_cpu_us": self.answer_cpu + self.record_cpu,
            "answer_cpu_us": self.answer_cpu,
            "record_cpu_us": self.record_cpu,
            "record_wall_us": self.record_wall,
            "postgres_cpu_us": self.backend_cpu,
        }
        return {name: round(value / self.pushes * 1e6, 2) for name, value in shares.items()}


@dataclass(slots=True)
class Answering:
    """A provider that answers everything at once; outcomes are made beforehand, as parsed."""

    is_mixed: bool
    pushes: Sequence[Encoded] = ()
    outcomes: Sequence[Outcome] = ()
    costs: Costs = field(default_factory=Costs)

    def encode(self, push: Push) -> Encoded | Unsendable:
        """Return a request that nobody sends."""
        return Encoded(push, "/", (), (), b"")

    def send(self, pushes: Sequence[Encoded], timeout_seconds: float, report: Report) -> None:  # noqa: ARG002
        """Report an outcome for each push."""
        outcomes = [self._outcome(number) for number in range(len(pushes))]
        before = time.thread_time()
        for push, outcome in zip(pushes, outcomes, strict=True):
            report(push, outcome)
        self.costs.answer_cpu += time.thread_time() - before
        self.costs.pushes += len(pushes)

    def unwritten(self) -> Collection[Report]:
        """Nothing waits."""
        return ()

    def withdraw(self, report: Report) -> None:
        """Nothing waits."""

    def retire(self) -> None:
        """Nothing is open."""

    def _outcome(self, number: int) -> Outcome:
        if self.is_mixed and number % _ODD_EVERY == 0:
            return _ODD[number // _ODD_EVERY % len(_ODD)]
        return Accepted(_GATEWAY_ID.format(number))


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    args = _parser().parse_args(arguments)
    load = [round(value, 2) for value in os.getloadavg()]
    runs: dict[str, list[Costs]] = {name: [] for name in _PROFILES}
    with bench_database(args.devices, pool_size=1) as engine:
        # Both profiles by turns, so that the load of the machine meets them alike.
        for turn, name in itertools.product(range(args.rounds), _PROFILES):
            cut_message(engine, f"msg_{name}_{turn}", _CHUNK)
            runs[name].append(_walk_all(engine, args.window, is_mixed=name == "mixed"))
        updates = _updates(engine)
    result = {
        **{name: _median([costs.per_push() for costs in found]) for name, found in runs.items()},
        "chunk_updates": updates,
        "conditions": {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "cpus": os.cpu_count(),
            "load_average_before": load,
            "load_average_after": [round(value, 2) for value in os.getloadavg()],
            "devices": args.devices,
            "rounds": args.rounds,
            "window": args.window,
            "fsync": "on",
            "synchronous_commit": "on",
        },
    }
    print(orjson.dumps(result).decode() if args.json else _words(result), flush=True)
    return 0


def _walk_all(engine: Engine, window_size: int, *, is_mixed: bool) -> Costs:
    provider = Answering(is_mixed)
    with engine.begin() as connection:
        pid: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        owner = repository.Owner("campaign", "bench", _LEASE_SECONDS)
        leases = repository.claim(connection, owner, repository.Hands(), limit=_MOST_CHUNKS)
        found = connection.execute(text("SELECT device_id, id FROM target")).all()
    targets = {row.device_id: row.id for row in found}
    before = _cpu_seconds(pid)
    for lease in leases:
        chunk = OpenChunk(lease, steady_seconds() + _LEASE_SECONDS)
        _walk(engine, chunk, targets, provider, window_size)
    provider.costs.backend_cpu = _cpu_seconds(pid) - before
    _check(engine, provider.costs)
    return provider.costs


def _walk(
    engine: Engine,
    chunk: OpenChunk,
    targets: Mapping[int, int],
    provider: Answering,
    window_size: int,
) -> None:
    sender = Sender(RetryRules(10.0, 3_600.0, 8), lambda: 0.5, 20.0, 5.0)
    is_done = False
    while not is_done:
        positions = chunk.take(window_size)
        if positions:
            pushes = [_address(chunk.lease, targets, position) for position in positions]
            chunk.prepared(Window(positions, pushes, (), provider, 0.0, 3_600.0))
        is_done = _record(engine, chunk, provider.costs)
        if chunk.next is not None:
            sender.send(chunk, chunk.depart(steady_seconds()))


def _record(engine: Engine, chunk: OpenChunk, costs: Costs) -> bool:
    cpu, wall = time.thread_time(), time.perf_counter()
    found = record(engine, chunk, _LEASE_SECONDS)
    is_done = chunk.recorded(_LEASE_SECONDS, steady_seconds())
    costs.record_cpu += time.thread_time() - cpu
    costs.record_wall += time.perf_counter() - wall
    if found is not Recorded.COMMITTED:
        raise BenchError(f"a step was not recorded: {found.name}")
    return is_done


def _address(lease: Lease, targets: Mapping[int, int], position: int) -> Addressed:
    return Addressed(
        position, targets[lease.device_ids[position]], Encoded(_PUSH, "/", (), (), b"")
    )


def _cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def _check(engine: Engine, costs: Costs) -> None:
    """Every push has its row or waits in a new chunk; then clear the table for the next run."""
    with engine.begin() as connection:
        found: int = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM ledger) "
                "+ (SELECT coalesce(sum(remaining), 0) FROM chunk)"
            )
        ).scalar_one()
        connection.execute(text("TRUNCATE chunk, message_delta, ledger"))
    if found != costs.pushes:
        raise BenchError(f"{costs.pushes} pushes were answered, and {found} are recorded")


def _updates(engine: Engine) -> dict[str, int]:
    """Return how many updates of chunks there were, and how many were heap-only (HOT)."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with engine.begin() as connection:
        row = connection.execute(
            text(
                "SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot FROM pg_stat_user_tables "
                "WHERE relname = 'chunk'"
            )
        ).one()
    return {"updates": row.updates, "hot": row.hot}


def _median(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in found), 2) for name in found[0]}


def _words(result: Mapping[str, Any]) -> str:
    lines = [f"{'us per push':<20}{'accepted':>10}{'5 % odd':>10}"]
    for name, value in result["accepted"].items():
        lines.append(f"{name.removesuffix('_us'):<20}{value:>10}{result['mixed'][name]:>10}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.recording", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    numbers = {
        "--devices": (50_000, "pushes of each run"),
        "--rounds": (3, "runs of each profile"),
        "--window": (500, "recipients recorded together"),
    }
    for name, (value, words) in numbers.items():
        parser.add_argument(name, type=whole_number, default=value, help=f"{words} ({value})")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
