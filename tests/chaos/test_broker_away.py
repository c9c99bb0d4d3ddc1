"""The broker and Redis lose everything or are away: writes are taken and sending goes on."""

import time

import redis

from api.services.pair import Pair
from tests.chaos.stage import Stage
from tests.deadlines import note, within

_DEVICES = 600


def test_a_campaign_survives_the_loss_of_everything_in_redis(
    own_stage: Stage, own_pair: Pair
) -> None:
    own_stage.add_devices(_DEVICES)
    own_stage.scene.sandbox.control.profile(latency=150)
    own_stage.crew.start()
    message_id = own_stage.send()

    with redis.Redis.from_url(own_pair.redis_url) as client:
        for progress in (50, 200, 350):
            own_stage.wait_accepted(progress)
            client.flushall()
    books = own_stage.wait_end(message_id)

    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0


def test_a_campaign_goes_on_while_the_broker_is_away_and_after_it_returns(
    own_stage: Stage, own_pair: Pair
) -> None:
    own_stage.add_devices(_DEVICES)
    own_stage.scene.sandbox.control.profile(latency=150)
    worker = own_stage.crew.start()
    message_id = own_stage.send()

    own_stage.wait_accepted(50)
    own_pair.valkey.stop()
    own_stage.wait_accepted(_DEVICES // 2)
    own_pair.valkey.start()
    books = own_stage.wait_end(message_id)
    again = own_stage.wait_end(own_stage.send())

    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0
    assert again.message["counts"]["accepted"] == _DEVICES
    note(f"the worker stopped in {worker.terminate(15):.1f} s")


def test_without_a_broker_messages_are_taken_at_once_and_sent(
    own_stage: Stage, own_pair: Pair
) -> None:
    own_stage.add_devices(3)
    own_pair.valkey.stop()
    worker = own_stage.crew.start("transactional")

    seconds, messages = [], []
    for _ in range(5):
        started = time.monotonic()
        messages.append(own_stage.send(lane="transactional", to={"all": True}))
        seconds.append(time.monotonic() - started)
    ends = [own_stage.wait_end(message_id) for message_id in messages]

    note(f"the slowest answer took {max(seconds):.3f} s")
    # Kombu would sleep for two seconds.
    assert max(seconds) < min(within(1.0), 1.8)
    assert [books.message["counts"]["accepted"] for books in ends] == [3] * 5
    note(f"the worker stopped in {worker.terminate(15):.1f} s")
