"""`./carillon check`: every static rule at once, with one table at the end."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one tool said."""

    name: str
    passed: bool
    seconds: float
    output: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `check`."""
    parser.add_argument("--verbose", action="store_true", help="show the words of passing tools")


def run(args: argparse.Namespace) -> int:
    """Run all tools, two at a time, and return 1 if any of them objects."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = list(pool.map(_run, _tools().items()))
    for outcome in outcomes:
        if args.verbose or not outcome.passed:
            print(f"{outcome.name}:\n{outcome.output.rstrip()}\n")
    for outcome in outcomes:
        verdict = "ok" if outcome.passed else "FAILED"
        print(f"{outcome.name:<18} {verdict:<7} {outcome.seconds:5.1f} s")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _tools() -> dict[str, Sequence[str]]:
    python, programs = sys.executable, Path(sys.executable).parent
    return {
        "types": (python, "-m", "mypy"),
        "lint": (python, "-m", "ruff", "check"),
        "format": (python, "-m", "ruff", "format", "--check"),
        "import contracts": (str(programs / "lint-imports"),),
        "style limits": (python, str(_ROOT / "tools" / "check_style.py"), str(_ROOT)),
        "addresses": (python, str(_ROOT / "tools" / "check_addresses.py"), str(_ROOT)),
    }


def _run(tool: tuple[str, Sequence[str]]) -> Outcome:
    name, command = tool
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - the tools above, no shell.
        command,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return Outcome(name, done.returncode == 0, time.monotonic() - began, done.stdout + done.stderr)
