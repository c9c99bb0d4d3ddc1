"""Supervisors that are killed or asked to stop, and what the next start finds."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from api.services.pair import EmbeddedOptions, embedded_pair
from api.services.places import remove_data
from api.services.processes import wait_gone

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Held:
    process: "subprocess.Popen[str]"
    servers: list[psutil.Process]
    sockets: Path


def hold(folder: Path) -> Held:
    command = [sys.executable, "-m", "tests.api.services.holder", str(folder)]
    # Under nohup SIGHUP is ignored, and children inherit that.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout is not None
    with process.stdout as output:
        facts = json.loads(output.readline())
    engine = create_engine(facts["database_url"], poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE proof AS SELECT 42 AS answer"))
    return Held(process, [psutil.Process(pid) for pid in facts["pids"]], Path(facts["sockets"]))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    # As root the database may lie outside of the folder that pytest removes.
    remove_data(tmp_path / "state")


def test_no_orphan_is_left_by_the_start_after_a_kill(state: Path) -> None:
    held = hold(state)
    held.process.kill()
    held.process.wait()
    assert all(server.is_running() for server in held.servers)

    with embedded_pair(EmbeddedOptions(state, durable=False)) as pair:
        alive = wait_gone(held.servers, 30)
        engine = create_engine(pair.database_url, poolclass=NullPool)
        with engine.connect() as connection:
            answer = connection.scalar(text("SELECT answer FROM proof"))

    assert alive == []
    assert not held.sockets.exists()
    assert answer == 42


def test_forks_whose_own_parent_was_killed_are_swept_too(state: Path) -> None:
    held = hold(state)
    held.process.kill()
    held.process.wait()
    parent, fork = held.servers[2:]
    parent.kill()

    with embedded_pair(EmbeddedOptions(state, durable=False, fresh=True)):
        alive = wait_gone([fork], 30)

    assert alive == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_request_to_stop_stops_everything(state: Path, number: signal.Signals) -> None:
    held = hold(state)

    held.process.send_signal(number)
    code = held.process.wait(timeout=30)

    assert code != 0
    assert wait_gone(held.servers, 30) == []
    assert not held.sockets.exists()
    assert (state / "lock").read_text() == ""
