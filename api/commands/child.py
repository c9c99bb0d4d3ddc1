"""A program that a command runs to its end, in the foreground."""

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_STOP_SECONDS = 30.0


def run_to_the_end(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None
) -> int:
    """Return the exit code; whatever ends the waiting ends the program, too."""
    process = subprocess.Popen(command, cwd=cwd, env=environment)  # noqa: S603 - ours, no shell.
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal has told the program as well; it ends by itself, with its last words.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        raise
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            process.kill()
            process.wait()
