"""At least once, somebody may have a push although no answer came: no end denies that."""

from collections.abc import Iterator

import pytest

from delivery.sandbox.tokens import fcm_token
from tests.deadlines import wait_until
from tests.e2e.scene import Scene, hasty_settings, open_scene
from tests.fixtures.sandbox import Sandbox

ABANDONED = "UPDATE chunk SET lease_until = now() - interval '1 hour', lease_owner = 'dead'"


@pytest.fixture
def scene(
    fresh_database: str, redis_url: str, broker_url: str, sandbox: Sandbox
) -> Iterator[Scene]:
    """A platform that waits for answers for half a second only, and long before the next try."""
    urls = (fresh_database, redis_url, broker_url)
    settings = hasty_settings(urls, sandbox, retry_floor_seconds=30)
    with open_scene(settings, sandbox) as made:
        yield made


def sent_without_answer(scene: Scene) -> str:
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted_unanswered", 1))
    body = {"to": {"people": ["ada"]}, "content": {"title": "Hello"}, "policy": "at_least_once"}
    message_id = str(scene.post("/v1/messages", body)["id"])
    scene.duties.cut_due()
    scene.work_until(lambda: scene.scalar("SELECT max(attempt) FROM chunk") == 2)
    return message_id


def ends(scene: Scene, message_id: str) -> dict[str, dict[str, int]]:
    reasons: dict[str, dict[str, int]] = scene.assert_adds_up(message_id)["reasons"]
    return reasons


def test_a_try_without_an_answer_that_is_cancelled_is_unknown(scene: Scene) -> None:
    message_id = sent_without_answer(scene)

    scene.post(f"/v1/messages/{message_id}/cancel", {})

    assert scene.sandbox.control.stats()["accepted"] > 0
    assert ends(scene, message_id) == {"unknown": {"unconfirmed": 1}}


def test_a_try_without_an_answer_that_expires_is_unknown(scene: Scene) -> None:
    message_id = sent_without_answer(scene)
    scene.run_sql("UPDATE message SET expires_at = now()")

    scene.duties.sweep()

    assert ends(scene, message_id) == {"unknown": {"unconfirmed": 1}}


def test_a_device_that_moves_meanwhile_may_have_it_all_the_same(scene: Scene) -> None:
    message_id = sent_without_answer(scene)
    scene.run_sql("UPDATE device SET person_id = NULL")
    scene.run_sql("UPDATE chunk SET due_at = now()")

    scene.work()

    assert ends(scene, message_id) == {"unknown": {"unconfirmed": 1}}


@pytest.mark.parametrize(
    ("policy", "opened", "end"),
    [
        # Without intents nobody knows how far the worker came.
        ("at_least_once", "intended = 0, open = '{}'", {"unknown": {"unconfirmed": 1}}),
        ("at_most_once", "intended = 0, open = '{}'", {"suppressed": {"cancelled": 1}}),
        ("at_most_once", "intended = 1, open = '{0}'", {"unknown": {"worker_lost": 1}}),
    ],
)
def test_what_a_lost_worker_had_in_hand_ends_in_truth_when_it_is_cancelled(
    scene: Scene, policy: str, opened: str, end: dict[str, dict[str, int]]
) -> None:
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted", 1))
    body = {"to": {"people": ["ada"]}, "content": {"title": "Hello"}, "policy": policy}
    message_id = str(scene.post("/v1/messages", body)["id"])
    scene.duties.cut_due()
    scene.run_sql(f"{ABANDONED}, {opened}")

    scene.post(f"/v1/messages/{message_id}/cancel", {})

    def has_ended() -> bool:
        scene.duties.sweep()
        return bool(scene.read(message_id)["finished_at"])

    wait_until(has_ended, 20, "nobody works on it any more")
    assert ends(scene, message_id) == end
