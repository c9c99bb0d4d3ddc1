"""Each server is restarted and killed in the middle of a campaign; no process of ours is."""

from collections.abc import Iterator

import pytest

from bench.own.servers import OwnServer
from tests.chaos.crew import Member
from tests.chaos.stage import Books, Stage
from tests.deadlines import wait_until
from tests.external.lanes import counts, has_consumer

pytestmark = pytest.mark.external

_DEVICES = 600


def send_through(stage: Stage, server: OwnServer) -> tuple[Books, Member]:
    """Send a campaign; restart the server and kill it on its way."""
    stage.add_devices(_DEVICES)
    stage.scene.sandbox.control.profile(latency={"p50": 150, "p99": 400, "max": 600})
    worker = stage.crew.start()
    message_id = stage.send(policy="at_most_once")
    stage.wait_accepted(50)
    server.restart()
    stage.wait_accepted(300)
    server.crash()
    server.start()
    return stage.wait_end(message_id, 90), worker


def check_nothing_lost(books: Books) -> None:
    assert books.message["counts"]["accepted"] == books.message["targeted"] == _DEVICES
    assert len(books.gateways) == _DEVICES
    assert books.duplicates == 0


def check_works_on(stage: Stage, worker: Member) -> None:
    """Check that the very same processes send the next campaign, too, and can still stop."""
    again = stage.wait_end(stage.send())

    assert again.message["counts"]["accepted"] == _DEVICES
    assert again.duplicates == 0
    worker.terminate(15)


@pytest.mark.parametrize("postgres", ["postgres_15", "postgres_18"], indirect=True)
def test_nothing_is_lost_when_postgresql_restarts(stage: Stage, postgres: OwnServer) -> None:
    books, worker = send_through(stage, postgres)

    check_nothing_lost(books)
    check_works_on(stage, worker)


def test_nothing_is_lost_when_redis_restarts(stage: Stage, redis_server: OwnServer) -> None:
    books, worker = send_through(stage, redis_server)

    check_nothing_lost(books)
    check_works_on(stage, worker)


@pytest.fixture
def listening(stage: Stage, rabbitmq: OwnServer) -> Iterator[None]:
    """Check at the end that nobody listens any more, so that the next test starts alone."""
    yield
    stage.crew.close()
    wait_until(lambda: not has_consumer(rabbitmq.url, "campaign"), 30, "the worker has left")


@pytest.mark.usefixtures("listening")
def test_nothing_is_lost_when_rabbitmq_restarts(stage: Stage, rabbitmq: OwnServer) -> None:
    books, worker = send_through(stage, rabbitmq)
    wait_until(lambda: has_consumer(rabbitmq.url, "campaign"), 60, "the worker listens again")

    check_nothing_lost(books)

    wait_until(lambda: counts(rabbitmq.url, "campaign") == (0, 1), 20, "nudges are fetched again")
    check_works_on(stage, worker)
