"""Nudges cost the one who gives them nothing, whatever state the broker is in."""

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.queue import LANES, Nudger, create_queue, lane_queue
from tests.deadlines import wait_until
from tests.servers import own_names


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/1"


@contextmanager
def refused() -> Iterator[str]:
    """Yield the URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"redis://127.0.0.1:{port}/1"


def seconds_of_nudges(url: str) -> float:
    nudger = Nudger(create_queue(url))
    with closing(nudger):
        started = time.monotonic()
        for _ in range(100):
            nudger.nudge("campaign")
        return time.monotonic() - started


def test_a_broker_that_is_away_holds_nobody_up(tmp_path: Path) -> None:
    with refused() as url:
        assert seconds_of_nudges(url) < 0.5
    assert seconds_of_nudges(f"redis+socket://{tmp_path}/none.sock?virtual_host=1") < 0.5


def test_a_broker_that_is_silent_holds_nobody_up() -> None:
    with silent_server() as url:
        assert seconds_of_nudges(url) < 0.5


@pytest.mark.parametrize("lane", LANES)
def test_a_nudge_arrives_in_its_lane_and_no_other(broker_url: str, lane: str) -> None:
    prefix = f"{own_names()['queue_prefix']}{secrets.token_hex(4)}-"
    queue = create_queue(broker_url, prefix)
    with queue.connection_for_read() as connection, closing(Nudger(queue)) as nudger:
        bound = {name: queue.amqp.queues[lane_queue(prefix, name)](connection) for name in LANES}
        for waiting in bound.values():
            waiting.declare()

        nudger.nudge(lane)
        wait_until(lambda: bound[lane].get(no_ack=True) is not None, 10, "the nudge arrives")

        assert [waiting.get(no_ack=True) for waiting in bound.values()] == [None] * len(LANES)
        for waiting in bound.values():
            waiting.delete()
