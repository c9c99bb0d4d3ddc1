"""Whether the sender knows what became of each push while connections die under it.

``python -m bench.soak``; `./carillon bench soak` is the same.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from bench.children import ask, ending_on_signals
from bench.contenders import make_signing_key
from bench.errors import BenchError
from bench.numbers import whole_number
from bench.senders.job import APNS, Job
from bench.servers.frames import FramePeer, frame_peer
from bench.verdict import has_grown, judge

_FAULTS = ("goaways", "resets", "limits", "refused", "beyond", "violations", "connections")


def main(arguments: Sequence[str]) -> int:
    """Soak and print; 1 when something does not add up."""
    args = _parser().parse_args(arguments)
    try:
        with ending_on_signals():
            result, broken = _soak(args)
    except BenchError as error:
        sys.stderr.write(f"bench soak: {error}\n")
        return 1
    print(orjson.dumps(result).decode() if args.json else _words(result), flush=True)
    for words in broken:
        sys.stderr.write(f"bench soak: {words}\n")
    return 1 if broken else 0


def _soak(args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    load = [round(value, 2) for value in os.getloadavg()]
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as name:
        folder = Path(name)
        with frame_peer(folder, _server_arguments(args)) as server:
            job = _job(server, args)
            given = orjson.dumps(asdict(job))
            arguments = [str(folder / "outcomes")]
            soaked = orjson.loads(ask("bench.senders.soaking", arguments, given, args.limit))
            stats, record = server.order("count"), server.record()
        verdict = judge((folder / "outcomes").read_bytes(), record[2::3])
    broken = verdict.broken()
    if has_grown(soaked["rss_mb_start"], soaked["rss_mb_end"]):
        broken.append(f"memory grew from {soaked['rss_mb_start']} to {soaked['rss_mb_end']} MB")
    if stats["violations"]:
        broken.append(f"{stats['violations']} streams were opened over a limit the sender knew")
    conditions = {"cpus": os.cpu_count(), "load_average_before": load, **_given(args)}
    faults = {name: stats[name] for name in _FAULTS}
    return {**asdict(verdict), **soaked, "faults": faults, "conditions": conditions}, broken


def _job(server: FramePeer, args: argparse.Namespace) -> Job:
    ca, key = str(server.ca), make_signing_key()
    return Job(server.url, ca, APNS, args.pushes, args.in_flight, key)


def _given(args: argparse.Namespace) -> dict[str, Any]:
    names = ("goaway_every", "reset_every", "limit_every", "streams", "in_flight", "latency")
    return {name: getattr(args, name) for name in names}


def _server_arguments(args: argparse.Namespace) -> list[str]:
    given = {name: value for name, value in _given(args).items() if name != "in_flight"}
    pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in given.items())
    return [word for pair in pairs for word in pair]


def _words(result: Mapping[str, Any]) -> str:
    rows = {name: value for name, value in result.items() if not isinstance(value, dict)}
    rows |= result["faults"]
    return "\n".join(f"{name.replace('_', ' '):<30}{value:>12,}" for name, value in rows.items())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./carillon bench soak", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    numbers = {
        "--pushes": (1_000_000, "how many"),
        "--in-flight": (1_000, "how many are open at once"),
        "--goaway-every": (5_000, "pushes between two GOAWAYs; every second is a graceful pair"),
        "--reset-every": (20_000, "pushes between two TCP resets"),
        "--limit-every": (7_000, "pushes between two falls of a stream limit to 1"),
        "--streams": (100, "stream limit of a connection otherwise"),
        "--latency": (2, "milliseconds until an answer"),
        "--limit": (900, "seconds after which the sender counts as hanging"),
    }
    for name, (value, words) in numbers.items():
        parser.add_argument(name, type=whole_number, default=value, help=f"{words} ({value})")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
