"""Deliveries over time, from the deltas and from the buckets they are rolled into."""

from collections import Counter
from typing import Any

import pytest

from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene


def read(scene: Scene, **query: Any) -> dict[str, Any]:
    answer = scene.http.get("/v1/stats/deliveries", params=query)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def total(stats: dict[str, Any]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for bucket in stats["data"]:
        counts.update(bucket["counts"])
    return counts


def send(scene: Scene, **fields: Any) -> None:
    body = {"to": {"people": ["ada"]}, "content": {"title": "Hello"}, **fields}
    scene.post("/v1/messages", body)
    scene.work()


@pytest.fixture
def ada(scene: Scene) -> Scene:
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_device("ada", fcm_token("gone", 2))
    return scene


def test_every_end_is_counted_once_before_and_after_the_roll_up(ada: Scene) -> None:
    send(ada)

    before = total(read(ada, minutes=5, bucket_seconds=10))
    ada.duties.roll_up()
    after = total(read(ada, minutes=5, bucket_seconds=10))

    assert before == after
    assert (after["accepted"], after["gone"], after["rejected"]) == (1, 1, 0)
    assert ada.scalar("SELECT count(*) FROM message_delta") == 0


def test_a_message_sent_as_a_test_is_left_out(ada: Scene) -> None:
    send(ada, is_test=True)

    before = read(ada)
    ada.duties.roll_up()
    after = read(ada)

    assert ada.http.get("/v1/messages").json()["data"][0]["is_test"] is True
    assert before["data"] == after["data"] == []


def test_what_ended_earlier_stands_in_its_own_bucket(ada: Scene) -> None:
    send(ada)
    ada.run_sql("UPDATE message_delta SET at = at - interval '30 minutes'")
    ada.duties.roll_up()
    send(ada)

    stats = read(ada, minutes=60, bucket_seconds=60)

    assert [bucket["counts"]["accepted"] for bucket in stats["data"]] == [1, 1]
    assert stats["data"][0]["at"].endswith(":00Z")
    assert total(read(ada, minutes=10))["accepted"] == 1


def test_old_buckets_are_forgotten(ada: Scene) -> None:
    send(ada)
    ada.duties.roll_up()
    ada.run_sql("UPDATE delivery_bucket SET at = at - interval '40 days'")

    ada.duties.keep_house()

    assert ada.scalar("SELECT count(*) FROM delivery_bucket") == 0
