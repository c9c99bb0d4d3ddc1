"""Servers of a benchmark end with whoever started them."""

import subprocess
import sys

from tests.repository_files import ROOT


def keeper(*command: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "bench.servers.keeper", *command]
    return subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_foreign_program_is_ended_when_nobody_holds_its_keeper() -> None:
    program = "import time; print('up', flush=True); time.sleep(600)"
    with keeper(sys.executable, "-c", program) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"up\n"

        process.stdin.close()

        assert process.wait(20) == -15 % 256
        # The program held the other end of this pipe.
        assert process.stdout.read() == b""


def test_a_foreign_program_that_ends_takes_its_keeper_with_it() -> None:
    with keeper(sys.executable, "-c", "raise SystemExit(7)") as process:
        assert process.wait(20) == 7
