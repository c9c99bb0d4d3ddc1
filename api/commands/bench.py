"""`./carillon bench NAME`: runs a benchmark as a process of its own and hands its words on."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from api.commands.child import run_to_the_end
from core.errors import CarillonError

BENCHMARKS: Mapping[str, str] = {
    "campaign": "a personal campaign from one call to its last recorded outcome",
    "ingest": "events and registrations taken over HTTP, each durable when it is answered",
    "pacing": "whether a campaign uses its quota whole and never exceeds it",
    "segments": "exact counts, waterfalls and audiences of rules among many people and events",
    "send": "what a push costs its sender: ours, aioapns, firebase-admin and libcurl",
    "soak": "whether the sender knows what became of every push while connections die",
    "transactional": "from the call of a push to the gateway, idle and beside a campaign",
    "triggers": "from an event to what is told of those who enter and leave watched segments",
}
# What only the development requirements bring.
_NEEDED = ("aioapns", "firebase_admin", "h2", "pycurl")
_ROOT = Path(__file__).resolve().parents[2]


class LackingError(CarillonError):
    """Benchmarks need the development requirements."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench`."""
    parser.add_argument("name", choices=list(BENCHMARKS), help="which benchmark")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="its own; NAME --help lists them"
    )
    parser.epilog = " ".join(f"{name}: {words}." for name, words in BENCHMARKS.items())


def run(args: argparse.Namespace) -> int:
    """Run the benchmark and return its exit code."""
    lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise LackingError(
            f"{', '.join(lacking)} can not be imported: benchmarks need the development "
            "requirements, which ./carillon bench installs in a clone."
        )
    command = [sys.executable, "-P", "-m", f"bench.{args.name}", *args.arguments]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    return run_to_the_end(command, environment)
