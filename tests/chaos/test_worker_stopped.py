"""A worker is asked to stop: it ends at a window boundary and leaves nobody in doubt."""

import pytest

from tests.chaos.stage import Stage
from tests.deadlines import note, within

_DEVICES = 400
_LIMIT_SECONDS = within(15)


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_it_hands_its_chunks_back_at_once(stage: Stage, policy: str) -> None:
    stage.add_devices(_DEVICES)
    stage.scene.sandbox.control.profile(latency=300)
    worker = stage.crew.start()
    message_id = stage.send(policy=policy)

    stage.wait_accepted(100)
    note(f"the worker stopped in {worker.terminate(_LIMIT_SECONDS):.1f} s")
    open_recipients = stage.scene.read(message_id)["open"]
    held = stage.scene.scalar("SELECT count(*) FROM chunk WHERE lease_until IS NOT NULL")
    in_doubt = stage.scene.scalar("SELECT sum(cardinality(open)) FROM chunk")
    stage.crew.worker()
    books = stage.wait_end(message_id)

    assert open_recipients > 0
    assert (held, in_doubt) == (0, 0)
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0


def test_a_worker_that_has_only_just_started_stops(stage: Stage) -> None:
    worker = stage.crew.worker("maintenance")

    worker.terminate(_LIMIT_SECONDS)

    assert '"event":"worker.stopped"' in worker.tail()
