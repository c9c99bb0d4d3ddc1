"""`./carillon up` with all its real processes: it answers, it stops, it survives its own death."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from api.services.places import remove_data
from api.services.processes import MARKER, wait_gone

ROOT = Path(__file__).resolve().parents[3]
_PORTS = ("--api-port", "0", "--console-port", "0", "--ingest-port", "0")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    # As root the database may lie outside of the folder that pytest removes.
    remove_data(tmp_path / "state")


def start(state: Path) -> tuple["subprocess.Popen[str]", str]:
    """Start `up` and return it with the API's address, which it prints when all is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "up", *_PORTS],
        cwd=ROOT,
        env={**os.environ, "CARILLON_STATE_DIR": str(state)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
    assert found is not None
    return process, found.group()


def finish(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    process.send_signal(number)
    process.communicate(timeout=60)


def family(state: Path) -> list[psutil.Process]:
    """Return the processes recorded in the state folder and everything under them."""
    pids = [int(path.stem.rpartition("-")[2]) for path in (state / "run").glob("*-*.json")]
    heads = [psutil.Process(pid) for pid in pids]
    return heads + [each for head in heads for each in head.children(recursive=True)]


def test_it_answers_and_stops_with_everything_it_started(state: Path) -> None:
    process, api_url = start(state)
    processes = family(state)
    alive = httpx.get(f"{api_url}/healthz", timeout=10)

    finish(process, signal.SIGTERM)

    assert alive.status_code == 200
    # Two servers, the API, ingest, three lanes, the scheduler, the console.
    assert len(processes) >= 9
    assert wait_gone(processes, 5) == []


def test_the_start_after_a_kill_replaces_every_process(state: Path) -> None:
    first, _ = start(state)
    orphans = family(state)
    assert all(process.is_running() for process in orphans)
    finish(first, signal.SIGKILL)

    second, api_url = start(state)
    alive = httpx.get(f"{api_url}/healthz", timeout=10)
    leftover = wait_gone(orphans, 5)
    finish(second, signal.SIGINT)

    assert leftover == []
    assert alive.status_code == 200
    assert not [each for each in psutil.process_iter() if _belongs(each, state)]


def _belongs(process: psutil.Process, state: Path) -> bool:
    try:
        return process.environ().get(MARKER) == str(state)
    except psutil.Error:
        return False
