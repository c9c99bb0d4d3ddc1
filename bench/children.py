"""Child processes of a benchmark: servers that end with their parent, senders that do a job."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from bench.errors import BenchError

_ROOT = Path(__file__).resolve().parents[1]
_STOP_SECONDS = 10.0
_LAST_WORDS = 2_000


@contextlib.contextmanager
def running(module: str, arguments: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of ours that ends when its standard input does; its words go to `log`."""
    command = [sys.executable, "-m", module, *arguments]
    with log.open("wb") as words:
        process = subprocess.Popen(  # noqa: S603 - a module of ours, no shell.
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ask(module: str, arguments: Sequence[str], given: bytes, seconds: float) -> bytes:
    """Run a module of ours on an input and return its output; raises BenchError."""
    command = [sys.executable, "-m", module, *arguments]
    named = " ".join([module, *arguments])
    try:
        done = subprocess.run(  # noqa: S603 - a module of ours, no shell.
            command, cwd=_ROOT, input=given, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{named} did not end within {seconds:.0f} s") from None
    if done.returncode:
        raise BenchError(f"{named} failed: {done.stderr.decode(errors='replace')[-_LAST_WORDS:]}")
    return done.stdout


def last_words(log: Path) -> str:
    """Return the end of what a child wrote to its log."""
    return log.read_text(errors="replace")[-_LAST_WORDS:].strip()


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise SystemExit, so that children are stopped."""
    former = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
