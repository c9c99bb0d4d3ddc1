"""Runs a foreign program that ends with us: ``python -m bench.servers.keeper PROGRAM …``.

The program is asked to end when our standard input does, so it never outlives who started it.
"""

import os
import subprocess
import sys
import threading

_STOP_SECONDS = 5.0


def main(command: list[str]) -> int:
    """Run the program until it ends or nobody holds our input open any more."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - no shell.
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    return process.wait()


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
    while os.read(0, 4096):
        pass
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
