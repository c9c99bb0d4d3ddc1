"""Runs a benchmark as its own process, as the command does."""

import json
import subprocess
import sys
from typing import Any

from tests.repository_files import ROOT

Done = subprocess.CompletedProcess[str]


def run(*words: str, seconds: float = 120) -> Done:
    """Run a module of ours with its arguments."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def result_of(done: Done) -> dict[str, Any]:
    """Return what a benchmark printed, when it ended well."""
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
