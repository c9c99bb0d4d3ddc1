"""What a kill switch holds back is accepted, counted and explained; nobody is lost."""

import pytest

from delivery.sandbox.tokens import apns_token, fcm_token
from tests.e2e.scene import Scene

WHY = {"reason": "A wrong price."}


def switch(scene: Scene, level: str) -> str:
    app = f"/v1/apps/{scene.app_id}"
    if level == "installation":
        return "/v1/kill-switch"
    if level == "app":
        return f"{app}/kill-switch"
    found = scene.http.get(f"{app}/credentials").json()["data"]
    (credential,) = [one["id"] for one in found if one["provider"] == "fcm"]
    return f"{app}/credentials/{credential}/kill-switch"


def put(scene: Scene, path: str) -> None:
    assert scene.http.put(path, json=WHY).status_code == 200


def lift(scene: Scene, path: str) -> None:
    assert scene.http.delete(path).status_code == 204


def planned(scene: Scene) -> str:
    body = {"to": {"all": True}, "content": {"title": "Hello"}}
    return str(scene.post("/v1/messages", body)["id"])


@pytest.fixture(autouse=True)
def _two_phones(scene: Scene) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    scene.add_iphone(None, apns_token("accepted", 2))


@pytest.mark.parametrize(
    ("level", "waiting", "words"),
    [
        ("installation", 2, "Sending is stopped for the whole installation."),
        ("app", 2, "A kill switch stops this app: A wrong price."),
        ("credential", 1, "A kill switch stops this credential: A wrong price."),
    ],
)
def test_a_message_waits_says_why_and_goes_on(
    scene: Scene, level: str, waiting: int, words: str
) -> None:
    path = switch(scene, level)
    put(scene, path)

    message_id = planned(scene)
    scene.work()
    stopped = scene.assert_adds_up(message_id)
    reached = scene.sandbox.control.stats()["requests"]
    lift(scene, path)
    scene.work()

    (shown,) = stopped["waiting"]
    assert (shown["reason"], shown["recipients"], shown["words"]) == ("kill_switch", waiting, words)
    assert stopped["state"] == "running"
    assert stopped["counts"]["accepted"] == reached == 2 - waiting
    ended = scene.assert_adds_up(message_id)
    assert (ended["state"], ended["counts"]["accepted"]) == ("finished", 2)
    assert sorted(scene.sandbox.control.accepted()) == sorted(set(scene.sandbox.control.accepted()))


def test_the_widest_switch_gives_the_words(scene: Scene) -> None:
    for level in ("credential", "app", "installation"):
        put(scene, switch(scene, level))
    message_id = planned(scene)
    scene.duties.cut_due()

    seen = []
    for level in ("installation", "app", "credential"):
        seen.append([one["words"] for one in scene.read(message_id)["waiting"]])
        lift(scene, switch(scene, level))

    assert [sorted(words) for words in seen] == [
        ["Sending is stopped for the whole installation."],
        ["A kill switch stops this app: A wrong price."],
        ["A kill switch stops this credential: A wrong price."],
    ]
    assert scene.read(message_id)["waiting"] == []


def test_what_is_cancelled_meanwhile_ends(scene: Scene) -> None:
    put(scene, switch(scene, "app"))
    message_id = planned(scene)
    scene.duties.cut_due()
    # As a worker leaves it that died in the middle: only its successor may end it.
    scene.run_sql("UPDATE chunk SET intended = 1, open = '{0}', lease_owner = 'dead'")

    scene.post(f"/v1/messages/{message_id}/cancel", {})
    scene.work()

    message = scene.assert_adds_up(message_id)
    assert (message["state"], message["open"]) == ("cancelled", 0)
    assert scene.sandbox.control.stats()["requests"] == 0


def test_what_expires_meanwhile_ends(scene: Scene) -> None:
    put(scene, switch(scene, "installation"))
    message_id = planned(scene)
    scene.duties.cut_due()
    scene.run_sql("UPDATE message SET expires_at = now() - interval '1 second'")

    scene.work()

    message = scene.assert_adds_up(message_id)
    assert message["reasons"] == {"expired": {"ttl": 2}}
    assert message["state"] == "finished"
