"""Waits for a condition with a deadline, watching that the process meant to fulfil it lives."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from api.services.errors import StartError

_PAUSE_SECONDS = 0.02


def wait_ready(
    name: str,
    process: "subprocess.Popen[bytes]",
    ready: Callable[[], bool],
    *,
    log: Path,
    limit_seconds: float,
) -> None:
    """Return when `ready()` is true; raise `StartError` with the end of the log otherwise."""
    deadline = time.monotonic() + limit_seconds
    while not ready():
        if (code := process.poll()) is not None:
            raise StartError(f"{name} ended with code {code} while starting. {log_tail(log)}")
        if time.monotonic() > deadline:
            raise StartError(f"{name} is not ready after {limit_seconds:g} s. {log_tail(log)}")
        time.sleep(_PAUSE_SECONDS)


def log_tail(log: Path, lines: int = 5) -> str:
    """Return where the log lies and its last lines, as one line for an error message."""
    try:
        tail = log.read_bytes()[-4_000:].decode(errors="replace").splitlines()[-lines:]
    except OSError:
        tail = []
    return f"Log {log}: {' | '.join(line.strip() for line in tail if line.strip()) or 'empty'}"
