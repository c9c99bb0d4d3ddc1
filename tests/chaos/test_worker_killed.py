"""A worker is killed while windows are open: nobody is lost, and doubt stays within its bound."""

import random

import pytest

from tests.chaos.stage import Books, Stage
from tests.deadlines import note

_KILLS = 3


def kill_three_times(stage: Stage, policy: str, devices: int, seed: int) -> Books:
    """Send to `devices`, kill the worker at seeded moments of progress, and return the end."""
    rng = random.Random(seed)
    stage.add_devices(devices)
    stage.scene.sandbox.control.profile(latency={"p50": 150, "p99": 400, "max": 600})
    worker = stage.crew.start()
    message_id = stage.send(policy=policy)
    share = devices // (_KILLS + 1)
    for kill in range(_KILLS):
        stage.wait_accepted(share * kill + rng.randint(share // 2, share))
        worker.kill()
        note(f"kill {kill + 1}: {stage.accepted()} accepted, {in_doubt(stage)} in doubt")
        worker = stage.crew.worker()
    books = stage.wait_end(message_id, 240)
    unknown = books.message["counts"]["unknown"]
    note(f"seed {seed}: {unknown} unknown, {books.duplicates} accepted twice")
    return books


def in_doubt(stage: Stage) -> int:
    """Return how many recipients have an intent and no end."""
    return int(stage.scene.scalar("SELECT coalesce(sum(cardinality(open)), 0) FROM chunk"))


def check_at_most_once(stage: Stage, devices: int, seed: int) -> None:
    books = kill_three_times(stage, "at_most_once", devices, seed)

    bound = _KILLS * stage.scene.settings.in_doubt_limit
    assert books.message["targeted"] == devices
    assert books.duplicates == 0
    assert 0 < books.message["counts"]["unknown"] <= bound
    assert books.message["counts"]["accepted"] == devices - books.message["counts"]["unknown"]


def check_at_least_once(stage: Stage, devices: int, seed: int) -> None:
    books = kill_three_times(stage, "at_least_once", devices, seed)

    bound = _KILLS * stage.scene.settings.in_doubt_limit
    assert books.message["counts"]["accepted"] == books.message["targeted"] == devices
    assert 0 < books.duplicates <= bound


def test_at_most_once_sends_nobody_twice_and_knows_whom_it_lost_sight_of(stage: Stage) -> None:
    check_at_most_once(stage, 1_000, seed=20_260_301)


def test_at_least_once_reaches_everybody_and_repeats_few(stage: Stage) -> None:
    check_at_least_once(stage, 1_000, seed=20_260_302)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("stage", [{"in_doubt_limit": 1_000, "window_size": 500}], indirect=True)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_at_most_once_with_many_devices(stage: Stage, seed: int) -> None:
    check_at_most_once(stage, 20_000, seed)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("stage", [{"in_doubt_limit": 1_000, "window_size": 500}], indirect=True)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_at_least_once_with_many_devices(stage: Stage, seed: int) -> None:
    check_at_least_once(stage, 20_000, seed)
