"""The supervisor of the application's processes."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from api.services.children import Child, Supervisor, supervised
from api.services.claim import claimed
from api.services.errors import StartError
from api.services.processes import wait_gone
from tests.api.services.holder import forking_child
from tests.deadlines import within

STUBBORN = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
    return True


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, lines: list[str]) -> Iterator[Supervisor]:
    with (
        claimed(tmp_path / "state") as book,
        supervised(book, cwd=tmp_path, say=lines.append) as supervisor,
    ):
        yield supervisor


def test_a_dead_child_is_started_again_and_a_line_says_so(
    supervisor: Supervisor, lines: list[str], tmp_path: Path
) -> None:
    supervisor.start([forking_child(tmp_path / "pids")])
    first = psutil.Process(supervisor.pid("forking"))
    first.kill()

    def revived() -> bool:
        supervisor.tend()
        return supervisor.pid("forking") != first.pid

    assert until(revived)
    assert supervisor.is_alive("forking")
    assert lines[0].startswith("forking ended with code -9; next start in 0.5 s.")


def test_forks_end_with_their_parent(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    supervisor.start([forking_child(note)])
    family = [psutil.Process(int(pid)) for pid in note.read_text().split()]

    supervisor.stop()

    assert wait_gone(family, 30) == []


def test_a_child_that_ignores_the_request_is_killed_after_its_limit(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    note = tmp_path / "started"
    command = (sys.executable, "-c", STUBBORN, str(note))
    supervisor.start([Child("stubborn", command, ready=note.is_file, stop_seconds=0.3)])
    process = psutil.Process(supervisor.pid("stubborn"))
    began = time.monotonic()

    supervisor.stop(["stubborn"])

    assert 0.3 <= time.monotonic() - began < within(5)
    assert not process.is_running()


def test_a_child_that_fails_to_start_is_explained_by_its_log(supervisor: Supervisor) -> None:
    broken = Child("broken", (sys.executable, "-c", "raise SystemExit('no such lamp')"))

    with pytest.raises(StartError, match=r"broken ended with code 1 .*no such lamp"):
        supervisor.start([Child(broken.name, broken.arguments, ready=lambda: False)])


def test_a_child_that_never_gets_ready_is_explained(supervisor: Supervisor, tmp_path: Path) -> None:
    child = forking_child(tmp_path / "pids")
    endless = Child(child.name, child.arguments, ready=lambda: False, ready_seconds=0.2)

    with pytest.raises(StartError, match=r"forking is not ready after 0\.2 s"):
        supervisor.start([endless])
