"""A campaign while everything breaks, by the command itself: `./carillon chaos`."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.turmoil.plan import Kind
from tests.bench.running import result_of, run
from tests.deadlines import note, wait_until
from tests.repository_files import ROOT

POLICIES = ("at_most_once", "at_least_once")
# The long form of what is tried once in short.
LONG = pytest.mark.long
SHORT = (
    *("--devices", "4000", "--kills", "6", "--rate", "800"),
    *("--lease", "6", "--in-doubt", "400"),
)


def check_promises(found: dict[str, Any], devices: int, kills: int) -> None:
    """Check again what the command has judged already, by its figures alone."""
    note(f"{found}")
    bound = found["kills_in_flight"] * found["in_doubt_bound"]
    assert found["lost"] == found["contradicted"] == found["ended_twice"] == 0
    assert found["targeted"] == found["terminal"] == devices
    assert found["accepted"] + found["unknown"] == devices
    assert found["kills"] == len(found["disturbances"]) == kills
    assert found["seconds"] <= found["limit_seconds"]
    if found["policy"] == "at_most_once":
        assert found["duplicates"] == 0
        assert found["unknown"] <= bound
    else:
        assert found["unknown"] == 0
        assert found["duplicates"] <= bound


@pytest.mark.timeout(240)
@pytest.mark.parametrize("policy", ["at_most_once", pytest.param("at_least_once", marks=LONG)])
def test_nobody_is_lost_and_doubt_stays_within_its_bound(policy: str) -> None:
    done = run(
        "bench.chaos_campaign", *SHORT, "--seed", "7", "--policy", policy, "--json", seconds=220
    )

    found = result_of(done)
    check_promises(found, 4_000, 6)
    made = [one["kind"] for one in found["disturbances"]]
    assert len(set(made)) == 6 <= len(set(Kind))
    assert found["kills_in_flight"] > 0, "none of them hit pushes on their way"


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hundred_thousand_devices_and_twenty_disturbances(policy: str, seed: int) -> None:
    given = ("--devices", "100000", "--kills", "20", "--seed", str(seed), "--policy", policy)

    found = result_of(run("bench.chaos_campaign", *given, "--json", seconds=880))

    check_promises(found, 100_000, 20)
    assert {one["kind"] for one in found["disturbances"]} == {
        kind.value for kind in Kind if kind is not Kind.DATABASE_DISCONNECT
    }


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder whose path is short enough for sockets, open to the servers' account."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=LONG)])
def test_an_interrupted_one_leaves_nothing_behind(
    number: signal.Signals, short_folder: Path
) -> None:
    log = short_folder / "words"
    with log.open("wb") as words:
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.chaos_campaign", *SHORT, "--devices", "1000"],
            cwd=ROOT,
            stdout=words,
            stderr=words,
            env={**os.environ, "TMPDIR": str(short_folder)},
            # As from a terminal: nothing that was started hears of it but by this one.
            start_new_session=True,
        )

    def is_disturbed() -> bool:
        assert child.poll() is None, log.read_text()
        return b" pushes " in log.read_bytes()

    try:
        wait_until(is_disturbed, 150, "something is disturbed")
        family = psutil.Process(child.pid).children(recursive=True)
        began = time.monotonic()
        child.send_signal(number)
        code = child.wait(60)
    finally:
        child.kill()
        child.wait()
    log.unlink()

    note(f"it ended with {code} after {time.monotonic() - began:.1f} s")
    assert code in (130, 128 + number)
    # Servers, gateways, scheduler and workers, one of which may just have been killed.
    assert len(family) >= 8
    assert [process for process in family if process.is_running()] == []
    assert list(short_folder.iterdir()) == []
