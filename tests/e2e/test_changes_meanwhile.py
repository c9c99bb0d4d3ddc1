"""What changes between the cut of the audience and the send is seen, and has its own reason."""

import pytest

from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene

CONTENT = {"title": "Hello"}


def planned(scene: Scene, **fields: object) -> str:
    scene.add_people({"external_id": "ada"}, {"external_id": "bob"})
    scene.add_device("ada", fcm_token("accepted", 1))
    body = {"to": {"people": ["ada"]}, "content": CONTENT, **fields}
    return str(scene.post("/v1/messages", body)["id"])


def suppressed(scene: Scene, message_id: str) -> dict[str, int]:
    message = scene.assert_adds_up(message_id)
    found: dict[str, int] = message["reasons"].get("suppressed", {})
    return found


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            "UPDATE device SET person_id = (SELECT id FROM person WHERE external_id = 'bob')",
            "moved",
        ),
        ("UPDATE device SET person_id = NULL", "moved"),
        ("UPDATE target SET state = 'retired'", "retired_before_send"),
        ("UPDATE target SET environment = 'development'", "retired_before_send"),
        ("DELETE FROM device", "retired_before_send"),
        ("UPDATE target SET state = 'suspect'", "suspect"),
        ("UPDATE device SET permission = 'denied'", "no_permission"),
    ],
)
def test_the_change_is_the_reason(scene: Scene, change: str, reason: str) -> None:
    message_id = planned(scene)
    scene.run_sql(change)

    scene.work()

    assert suppressed(scene, message_id) == {reason: 1}
    assert scene.sandbox.control.stats()["requests"] == 0


def test_a_rotated_token_gets_the_push(scene: Scene) -> None:
    message_id = planned(scene)
    new_token = fcm_token("accepted", 77)
    scene.run_sql("UPDATE target SET token = :token", token=new_token)

    scene.work()

    assert [token for token, _ in scene.sandbox.control.accepted()] == [new_token]
    assert scene.assert_adds_up(message_id)["counts"]["accepted"] == 1


def test_a_registration_newer_than_the_verdict_survives(scene: Scene) -> None:
    scene.add_device(None, fcm_token("gone", 1))
    sent = scene.post("/v1/messages", {"to": {"all": True}, "content": CONTENT})
    scene.run_sql("UPDATE target SET registered_at = now() + interval '1 minute'")

    scene.work()

    assert scene.assert_adds_up(sent["id"])["counts"]["gone"] == 1
    assert scene.scalar("SELECT state FROM target") == "active"


def test_what_comes_too_late_expires(scene: Scene) -> None:
    message_id = planned(scene)
    scene.run_sql("UPDATE message SET expires_at = now() - interval '1 second'")

    scene.work()

    message = scene.assert_adds_up(message_id)
    assert message["reasons"] == {"expired": {"ttl": 1}}
    assert message["state"] == "finished"


def test_a_cancelled_message_ends_at_once_with_the_exact_count(scene: Scene) -> None:
    message_id = planned(scene)

    cancelled = scene.post(f"/v1/messages/{message_id}/cancel", {})

    assert cancelled["state"] == "cancelled"
    assert cancelled["reasons"] == {"suppressed": {"cancelled": 1}}
    assert cancelled["finished_at"]
    assert suppressed(scene, message_id) == {"cancelled": 1}


def test_a_paused_message_waits_and_says_so(scene: Scene) -> None:
    message_id = planned(scene)
    scene.post(f"/v1/messages/{message_id}/pause", {})

    scene.work()
    paused = scene.assert_adds_up(message_id)
    scene.post(f"/v1/messages/{message_id}/resume", {})
    scene.work()

    assert [one["reason"] for one in paused["waiting"]] == ["message_paused"]
    assert scene.assert_adds_up(message_id)["counts"]["accepted"] == 1


@pytest.mark.parametrize(
    ("policy", "state"), [("at_most_once", "unknown"), ("at_least_once", "accepted")]
)
def test_recipients_in_doubt_follow_the_policy(scene: Scene, policy: str, state: str) -> None:
    message_id = planned(scene, policy=policy)
    # As a worker leaves it that died after the intent and before the outcome.
    scene.run_sql("UPDATE chunk SET intended = 1, open = '{0}', fence = 7, lease_owner = 'dead'")

    scene.work()

    message = scene.assert_adds_up(message_id)
    assert message["counts"][state] == 1
    assert message["state"] == "finished"


def test_a_template_error_ends_one_person_only(scene: Scene) -> None:
    scene.add_people(
        {"external_id": "ada", "attributes": {"points": 5}},
        {"external_id": "bob", "attributes": {"points": "many"}},
    )
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_device("bob", fcm_token("accepted", 2))
    content = {"title": "{{ points + 1 }} points"}

    sent = scene.post("/v1/messages", {"to": {"people": ["ada", "bob"]}, "content": content})
    scene.work()

    message = scene.assert_adds_up(sent["id"])
    assert (message["counts"]["accepted"], suppressed(scene, sent["id"])) == (
        1, {"render_error": 1},
    )  # fmt: skip


def test_a_payload_over_the_limit_is_not_sent(scene: Scene) -> None:
    scene.add_people({"external_id": "ada", "attributes": {"story": "é" * 2_500}})
    scene.add_device("ada", fcm_token("accepted", 1))

    sent = scene.post(
        "/v1/messages", {"to": {"people": ["ada"]}, "content": {"title": "{{ story }}"}}
    )
    scene.work()

    assert suppressed(scene, sent["id"]) == {"too_large": 1}
    deliveries = scene.http.get(f"/v1/messages/{sent['id']}/deliveries").json()["data"]
    assert "4096" in deliveries[0]["gateway"]
