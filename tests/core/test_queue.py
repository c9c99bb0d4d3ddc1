"""Nudges cost the one who gives them nothing, whatever state the broker is in."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import redis

from core.queue import Nudger, create_queue
from tests.deadlines import wait_until


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


def test_a_nudge_arrives(broker_url: str, redis_url: str) -> None:
    path, _, database = broker_url.partition("?virtual_host=")
    client = redis.Redis.from_url(f"{path.replace('redis+socket', 'unix')}?db={database}")
    with closing(client), closing(Nudger(create_queue(broker_url))) as nudger:
        before = client.llen("maintenance")
        nudger.nudge("maintenance")

        wait_until(lambda: client.llen("maintenance") > before, 10, "the nudge arrives")
