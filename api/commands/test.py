"""`./carillon test`: the tests, on embedded servers or on external ones, opened once per run."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from api.commands.child import run_to_the_end
from api.services.trial import trial_pair

_ROOT = Path(__file__).resolve().parents[2]
# On two cores a third process only waits.
_DEFAULTS = ("-n", "2")
_GIVEN = ("CARILLON_TEST_DATABASE_URL", "CARILLON_TEST_REDIS_URL")
_EXTERNAL = "CARILLON_TEST_EXTERNAL"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `test`."""
    parser.add_argument("--long", action="store_true", help="run the full form of every proof")
    parser.add_argument(
        "--external", action="store_true", help="run what uses a server on external ones"
    )
    parser.add_argument(
        "--servers",
        default="any",
        choices=("any", "started", "newest"),
        help="which external ones: by CARILLON_TEST_…_URL, else on their standard ports, else "
        "started from this system's packages (any); all started (started); PostgreSQL and Valkey "
        "of our own wheels on TCP (newest)",
    )
    parser.epilog = "Everything else is handed to pytest."


def run(args: argparse.Namespace) -> int:
    """Run pytest in two processes and return its exit code."""
    long = ["--long"] if args.long else []
    command = [sys.executable, "-m", "pytest", *_DEFAULTS, *long, *args.passed_on]
    with _servers(args.servers if args.external else None) as addresses:
        return run_to_the_end(command, {**os.environ, **addresses}, _ROOT)


@contextlib.contextmanager
def _servers(external: str | None) -> Iterator[Mapping[str, str]]:
    if external:
        # The tests look for them, because they also start and stop some.
        yield {_EXTERNAL: external}
        return
    if all(name in os.environ for name in _GIVEN):
        yield {}
        return
    with trial_pair(_ROOT / ".carillon" / "test") as pair:
        yield dict(zip(_GIVEN, (pair.database_url, pair.redis_url), strict=True))
