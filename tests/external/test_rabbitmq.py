"""RabbitMQ as the broker: what Celery makes of our settings there, and a network that fails."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import amqp
import pytest
from kombu.utils.url import parse_url

from api.services.pair import Urls
from bench.own.servers import OwnServer
from bench.relay import Link, relay_to_port
from core.queue import LANES, Nudger, create_queue, lane_queue
from tests.chaos.stage import Stage, open_stage
from tests.deadlines import wait_until, within
from tests.external.lanes import channel_to, counts, has_consumer
from tests.fixtures.sandbox import Sandbox
from tests.servers import own_names

pytestmark = pytest.mark.external

_CLASSIC = {"x-queue-type": "classic"}
_MOST_WAITING = 1_000


def of_all_lanes(rabbitmq: OwnServer) -> list[tuple[int, int]]:
    return [counts(rabbitmq.url, lane) for lane in LANES]


def purge(rabbitmq: OwnServer) -> None:
    """Make every lane's queue, empty: other tests have used this node, too."""
    queue = create_queue(rabbitmq.url, own_names()["queue_prefix"])
    with queue.connection_for_write() as connection:
        for lane in LANES:
            bound = queue.amqp.queues[lane_queue(own_names()["queue_prefix"], lane)](connection)
            bound.declare()
            bound.purge()


def test_every_lane_is_a_quorum_queue_with_a_worker_that_fetches(
    stage: Stage, rabbitmq: OwnServer
) -> None:
    purge(rabbitmq)
    nudger = Nudger(create_queue(rabbitmq.url, own_names()["queue_prefix"]))
    with closing(nudger):
        for lane in LANES:
            nudger.nudge(lane)
        wait_until(lambda: of_all_lanes(rabbitmq) == [(1, 0)] * 3, 20, "a nudge waits in each")
    for lane in LANES:
        stage.crew.worker(lane)
    wait_until(lambda: of_all_lanes(rabbitmq) == [(0, 1)] * 3, 60, "each has been fetched")

    name = lane_queue(own_names()["queue_prefix"], "campaign")
    with channel_to(rabbitmq.url) as channel, pytest.raises(amqp.PreconditionFailed, match="type"):
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=_CLASSIC)
    # Celery makes 28 more quorum queues for delays, unless it is told not to.
    with channel_to(rabbitmq.url) as channel, pytest.raises(amqp.NotFound):
        channel.queue_declare("celery_delayed_0", passive=True)


def test_nudges_that_nobody_fetches_do_not_pile_up(rabbitmq: OwnServer) -> None:
    prefix = "nobody-fetches-"
    queue = create_queue(rabbitmq.url, prefix)
    name = lane_queue(prefix, "campaign")
    with queue.connection_for_write() as connection:
        queue.amqp.queues[name](connection).declare()

    with channel_to(rabbitmq.url) as channel:
        for _ in range(_MOST_WAITING + 100):
            channel.basic_publish(amqp.Message("x"), routing_key=name)

        def waiting() -> int:
            return int(channel.queue_declare(name, passive=True).message_count)

        wait_until(lambda: waiting() == _MOST_WAITING, 20, "the oldest have been dropped")
        channel.queue_delete(name)


@contextmanager
def behind_relay(
    urls: Urls, sandbox: Sandbox, folder: Path
) -> Iterator[tuple[Stage, Any, threading.Event]]:
    """Yield a stage whose way to RabbitMQ can be cut, or held silent while the event is set."""
    parts = parse_url(urls.broker_url)
    silent, over = threading.Event(), threading.Event()

    def judge(_link: Link, _data: bytes) -> bool:
        while silent.is_set() and not over.wait(0.05):
            pass
        return not over.is_set()

    with relay_to_port(parts["hostname"], parts["port"] or 5672) as (relay, port):
        relay.judge = judge
        broker = f"amqp://{parts['userid']}:{parts['password']}@127.0.0.1:{port}//"
        there = Urls(urls.database_url, urls.redis_url, broker)
        with open_stage(there, sandbox, folder) as stage:
            yield stage, relay, silent
        over.set()


def seconds_of_posts(stage: Stage, count: int) -> tuple[float, list[str]]:
    """Send transactional messages and return the longest answer and their ids."""
    longest, messages = 0.0, []
    for _ in range(count):
        started = time.monotonic()
        messages.append(stage.send(lane="transactional"))
        longest = max(longest, time.monotonic() - started)
    return longest, messages


@pytest.mark.parametrize("fault", ["refused", "silent"])
def test_without_rabbitmq_messages_are_taken_at_once_sent_and_the_worker_comes_back(
    stage: Stage, sandbox: Sandbox, rabbitmq: OwnServer, fault: str, tmp_path: Path
) -> None:
    settings = stage.scene.settings
    urls = Urls(settings.require_database_url(), settings.require_redis_url(), rabbitmq.url)
    folder = tmp_path / "behind"
    folder.mkdir()
    with behind_relay(urls, sandbox, folder) as (behind, relay, silent):
        behind.add_devices(3)
        worker = behind.crew.start("transactional")
        wait_until(lambda: has_consumer(rabbitmq.url, "transactional"), 60, "the worker listens")

        relay.cut() if fault == "refused" else silent.set()
        longest, messages = seconds_of_posts(behind, 5)
        ends = [behind.wait_end(message_id) for message_id in messages]
        relay.open() if fault == "refused" else silent.clear()
        wait_until(lambda: has_consumer(rabbitmq.url, "transactional"), 60, "it listens again")
        worker.terminate(15)

    # Kombu would sleep for two seconds.
    assert longest < min(within(1.0), 1.8)
    assert [books.message["counts"]["accepted"] for books in ends] == [3] * 5
