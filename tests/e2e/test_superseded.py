"""A newer message with the same collapse id makes an older one needless where it waits."""

from typing import Any

import pytest

from delivery.sandbox.tokens import apns_token, fcm_token
from tests.e2e.scene import Scene


@pytest.fixture
def crowd(scene: Scene) -> Scene:
    """Ada has an iPhone and an Android, Bob has one, and one phone is nobody's."""
    scene.add_people({"external_id": "ada"}, {"external_id": "bob"})
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_iphone("ada", apns_token("accepted", 2))
    scene.add_device("bob", fcm_token("accepted", 3))
    scene.add_device(None, fcm_token("accepted", 4))
    return scene


def send(scene: Scene, title: str, *, collapse_id: str | None = "score", **fields: Any) -> str:
    """Send to everybody and cut it."""
    body = {"to": {"all": True}, "lane": "transactional", "content": {"title": title}, **fields}
    if collapse_id:
        body["collapse_id"] = collapse_id
    message_id = str(scene.post("/v1/messages", body)["id"])
    scene.duties.cut_due()
    return message_id


def pause(scene: Scene, message_id: str) -> None:
    scene.post(f"/v1/messages/{message_id}/pause", {})


def resume(scene: Scene, message_id: str) -> None:
    scene.post(f"/v1/messages/{message_id}/resume", {})


def test_what_waited_while_a_newer_one_was_sent_is_not_sent_any_more(crowd: Scene) -> None:
    older = send(crowd, "1 : 0")
    pause(crowd, older)
    newer = send(crowd, "2 : 0")
    crowd.work()

    resume(crowd, older)
    crowd.work()

    assert crowd.assert_adds_up(newer)["counts"]["accepted"] == 4
    message = crowd.assert_adds_up(older)
    assert message["state"] == "finished"
    assert message["counts"] == {**message["counts"], "suppressed": 4, "accepted": 0}
    assert message["reasons"]["suppressed"] == {"superseded": 4}
    assert len(list(crowd.sandbox.control.accepted())) == 4
    found = crowd.http.get("/v1/deliveries", params={"message": older}).json()["data"]
    trace = crowd.http.get(f"/v1/deliveries/{found[0]['id']}/trace").json()
    assert "A newer message with the same collapse id" in str(trace)


def test_of_two_that_wait_the_newer_alone_is_sent(crowd: Scene) -> None:
    crowd.http.put("/v1/kill-switch", json={"reason": "A fire."}).raise_for_status()
    older, newer = send(crowd, "1 : 0"), send(crowd, "2 : 0")

    crowd.http.delete("/v1/kill-switch").raise_for_status()
    crowd.work_until(lambda: crowd.read(older)["state"] == "finished")

    assert crowd.assert_adds_up(older)["reasons"]["suppressed"] == {"superseded": 4}
    assert crowd.assert_adds_up(newer)["counts"]["accepted"] == 4


def wait_behind(scene: Scene) -> tuple[str, str]:
    """Return an older message that waits for a newer one, which waits for its turn."""
    older, newer = send(scene, "1 : 0"), send(scene, "2 : 0")
    put_off(scene, newer)
    scene.work()
    message = scene.assert_adds_up(older)
    assert (message["open"], message["targeted"]) == (4, 4)
    assert [one["reason"] for one in message["waiting"]] == ["newer_first"]
    return older, newer


def put_off(scene: Scene, message_id: str, span: str = "1 hour") -> None:
    scene.run_sql(
        "UPDATE chunk SET due_at = now() + CAST(:span AS interval) "
        "WHERE message_id = (SELECT id FROM message WHERE public_id = :id)",
        span=span,
        id=message_id,
    )


@pytest.mark.parametrize("end", ["cancelled", "paused", "expired", "suppressed", "rejected"])
def test_whatever_becomes_of_the_newer_one_no_device_gets_neither(crowd: Scene, end: str) -> None:
    older, newer = wait_behind(crowd)

    if end in {"cancelled", "paused"}:
        move = {"cancelled": "cancel", "paused": "pause"}[end]
        crowd.post(f"/v1/messages/{newer}/{move}", {})
    elif end == "expired":
        crowd.run_sql("UPDATE message SET expires_at = now() WHERE public_id = :id", id=newer)
    elif end == "suppressed":
        put_off(crowd, newer, "0 s")
        crowd.run_sql("UPDATE target SET state = 'suspect'")
        crowd.work()
        crowd.run_sql("UPDATE target SET state = 'active'")
    else:
        put_off(crowd, newer, "0 s")
        forced = [
            {"provider": "fcm", "outcome": "payload_too_large"},
            {"provider": "apns", "outcome": "bad_collapse_id"},
        ]
        crowd.sandbox.control.profile(forced=forced)
        crowd.work()
        crowd.sandbox.control.default_profile()
    put_off(crowd, older, "0 s")
    crowd.work()

    assert crowd.assert_adds_up(newer)["counts"]["accepted"] == 0
    assert crowd.assert_adds_up(older)["counts"]["accepted"] == 4


def test_what_waits_for_a_newer_one_looks_again_by_itself(crowd: Scene) -> None:
    older, newer = wait_behind(crowd)

    put_off(crowd, newer, "0 s")
    crowd.work_until(lambda: crowd.read(older)["state"] == "finished")

    assert crowd.assert_adds_up(newer)["counts"]["accepted"] == 4
    assert crowd.assert_adds_up(older)["reasons"]["suppressed"] == {"superseded": 4}
    assert len(list(crowd.sandbox.control.accepted())) == 4


def add_newer_ones(scene: Scene, message_id: str) -> None:
    """Store so many finished messages like this one, to others, that histories must tell."""
    scene.run_sql(
        """INSERT INTO message (app_id, public_id, day, lane, state, policy, content, audience,
               ttl_seconds, send_at, started_at, finished_at, collapse_id, targeted)
           SELECT app_id, 'msg_' || n, day, lane, 'finished', policy, content, audience,
               ttl_seconds, send_at, started_at, now(), collapse_id, 0
           FROM message, generate_series(1, 60) AS n WHERE public_id = :id""",
        id=message_id,
    )


@pytest.mark.parametrize("are_many", [False, True], ids=["of a few", "of many"])
@pytest.mark.parametrize("owner", [None, "ada"], ids=["nobody's", "somebody's"])
def test_a_device_is_the_same_whoever_has_signed_in_since(
    scene: Scene, owner: str | None, *, are_many: bool
) -> None:
    scene.add_people({"external_id": "ada"}, {"external_id": "bob"})
    token = fcm_token("accepted", 1)
    scene.add_device(owner, token)
    older = send(scene, "1 : 0")
    pause(scene, older)
    if owner:
        scene.post("/v1/merges", {"into": "bob", "from": "ada"})
    else:
        scene.add_device("ada", token)
    newer = send(scene, "2 : 0")
    scene.work()
    if are_many:
        add_newer_ones(scene, newer)

    resume(scene, older)
    scene.work()

    assert scene.assert_adds_up(newer)["counts"]["accepted"] == 1
    assert scene.assert_adds_up(older)["reasons"]["suppressed"]["superseded"] == 1


def test_only_the_devices_that_the_newer_one_reaches_are_left_out(crowd: Scene) -> None:
    older = send(crowd, "1 : 0")
    pause(crowd, older)
    newer = send(crowd, "2 : 0", to={"people": ["bob"]})
    crowd.work()

    resume(crowd, older)
    crowd.work()

    assert crowd.assert_adds_up(newer)["counts"]["accepted"] == 1
    message = crowd.assert_adds_up(older)
    assert message["reasons"]["suppressed"] == {"superseded": 1}
    assert message["counts"]["accepted"] == 3


@pytest.mark.parametrize(
    "fields",
    [{"collapse_id": "other"}, {"collapse_id": None}, {"is_test": True}],
    ids=["another id", "no id", "a test"],
)
def test_what_is_about_something_else_supersedes_nothing(
    crowd: Scene, fields: dict[str, Any]
) -> None:
    older = send(crowd, "1 : 0")
    pause(crowd, older)
    send(crowd, "2 : 0", **fields)
    crowd.work()

    resume(crowd, older)
    crowd.work()

    assert crowd.assert_adds_up(older)["counts"]["accepted"] == 4


@pytest.mark.parametrize("move", ["cancel", "pause"])
def test_one_that_will_not_be_sent_supersedes_nothing(crowd: Scene, move: str) -> None:
    older, newer = send(crowd, "1 : 0"), send(crowd, "2 : 0")

    crowd.post(f"/v1/messages/{newer}/{move}", {})
    crowd.work()

    assert crowd.assert_adds_up(older)["counts"]["accepted"] == 4


def test_one_that_was_rejected_supersedes_nothing(scene: Scene) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    older = send(scene, "1 : 0")
    pause(scene, older)
    newer = send(scene, "2 : 0")
    scene.run_sql("UPDATE target SET state = 'suspect'")
    scene.work()
    scene.run_sql("UPDATE target SET state = 'active'")

    resume(scene, older)
    scene.work()

    assert scene.assert_adds_up(newer)["reasons"]["suppressed"] == {"suspect": 1}
    assert scene.assert_adds_up(older)["counts"]["accepted"] == 1


def test_an_older_one_never_supersedes_one_that_starts_later(crowd: Scene) -> None:
    later = send(crowd, "For tomorrow", send_at="2099-01-01T00:00:00Z")
    now = send(crowd, "For today")
    crowd.work()

    crowd.run_sql("UPDATE message SET send_at = now() WHERE public_id = :id", id=later)
    crowd.work()

    assert crowd.assert_adds_up(now)["counts"]["accepted"] == 4
    assert crowd.assert_adds_up(later)["counts"]["accepted"] == 4


def test_whom_an_earlier_try_may_have_reached_ends_as_unknown(hasty: Scene) -> None:
    scene = hasty
    scene.add_device(None, fcm_token("accepted", 1))
    older = send(scene, "1 : 0", policy="at_least_once")
    scene.run_sql(
        "UPDATE chunk SET intended = 1, open = '{0}', lease_owner = 'lost', "
        "lease_until = '-infinity'"
    )
    newer = send(scene, "2 : 0")

    scene.work_until(lambda: scene.read(older)["state"] == "finished")

    assert scene.assert_adds_up(newer)["counts"]["accepted"] == 1
    assert scene.assert_adds_up(older)["reasons"]["unknown"] == {"unconfirmed": 1}
