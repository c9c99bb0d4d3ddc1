"""From the API to the gateways and back into the ledger."""

from typing import Any

import pytest

from delivery.sandbox.tokens import apns_token, fcm_fid, fcm_token
from tests.e2e.scene import Scene

CONTENT = {"title": "Hello {{ first_name }}", "body": "Your order is on its way."}


def send(scene: Scene, to: dict[str, Any], **fields: Any) -> str:
    return str(scene.post("/v1/messages", {"to": to, "content": CONTENT, **fields})["id"])


def test_a_push_reaches_both_gateways(scene: Scene) -> None:
    scene.add_people({"external_id": "ada", "attributes": {"first_name": "Ada"}})
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_iphone("ada", apns_token("accepted", 1))

    message_id = send(scene, {"people": ["ada"]})
    scene.work()

    message = scene.assert_adds_up(message_id)
    assert (message["state"], message["status"], message["targeted"]) == ("finished", "sent", 2)
    assert message["counts"]["accepted"] == 2
    assert len(set(scene.sandbox.control.accepted())) == 2


def test_every_recipient_ends_in_one_state_with_its_reason(scene: Scene) -> None:
    scene.add_people(
        {"external_id": "ada", "attributes": {"first_name": "Ada"}},
        {"external_id": "nameless"},
        {"external_id": "bob", "attributes": {"first_name": "Bob"}},
        {"external_id": "quiet", "attributes": {"first_name": "Quiet"}},
    )
    for serial, fate in enumerate(("accepted", "gone", "malformed", "sender_id_mismatch")):
        scene.add_device("ada", fcm_token(fate, serial))
    scene.add_iphone("ada", apns_token("gone", 9))
    scene.add_device("nameless", fcm_token("accepted", 5))
    scene.add_device("quiet", fcm_token("accepted", 6), permission="denied")

    message_id = send(scene, {"all": True}, lane="campaign")
    scene.work("campaign")

    message = scene.assert_adds_up(message_id)
    assert message["state"] == "finished"
    assert message["counts"] == {
        "accepted": 1, "gone": 2, "rejected": 2, "expired": 0, "unknown": 0, "suppressed": 3,
    }  # fmt: skip
    assert message["reasons"]["suppressed"] == {
        "no_device": 1, "no_permission": 1, "render_error": 1,
    }  # fmt: skip


def test_what_the_gateways_say_changes_the_registrations(scene: Scene) -> None:
    scene.add_people({"external_id": "ada", "attributes": {"first_name": "Ada"}})
    scene.add_device("ada", fcm_token("gone", 1))
    scene.add_device("ada", fcm_token("malformed", 2))

    first = send(scene, {"people": ["ada"]})
    scene.work()
    second = send(scene, {"people": ["ada"]})
    scene.work()

    states = scene.scalar("SELECT string_agg(state, ',' ORDER BY id) FROM target")
    assert states in {"retired,suspect", "retired,active"}
    assert scene.assert_adds_up(first)["targeted"] == 2
    assert scene.assert_adds_up(second)["counts"]["gone"] == 0


def test_a_throttled_device_is_tried_again_and_the_others_are_not(scene: Scene) -> None:
    scene.sandbox.control.profile(retry_after_seconds=1)
    scene.add_people({"external_id": "ada", "attributes": {"first_name": "Ada"}})
    scene.add_device("ada", fcm_token("throttled_once", 1))
    scene.add_device("ada", fcm_token("accepted", 2))
    scene.add_iphone("ada", apns_token("throttled_once", 3))

    message_id = send(scene, {"people": ["ada"]})
    scene.work()
    first = scene.assert_adds_up(message_id)
    scene.work_until(lambda: scene.read(message_id)["state"] == "finished")

    last = scene.assert_adds_up(message_id)
    assert (first["counts"]["accepted"], first["open"]) == (1, 2)
    assert {waiting["recipients"] for waiting in first["waiting"]} <= {1, 2}
    assert last["counts"]["accepted"] == 3
    assert scene.sandbox.control.stats()["requests"] >= 5


def test_raw_tokens_of_every_kind_are_taken(scene: Scene) -> None:
    tokens = [fcm_token("accepted", 1), fcm_fid("accepted", 2), apns_token("accepted", 3)]

    answer = scene.post("/v1/messages", {"to": {"tokens": tokens}, "content": {"title": "Hello"}})
    scene.work()

    assert answer["targeted"] == 3
    assert scene.assert_adds_up(answer["id"])["counts"]["accepted"] == 3


def test_a_message_for_later_starts_when_it_is_due(scene: Scene) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    later = {"all": True}
    message_id = str(
        scene.post(
            "/v1/messages",
            {"to": later, "content": {"title": "Later"}, "send_at": "2099-01-01T00:00:00Z"},
        )["id"]
    )

    scene.work()
    before = scene.read(message_id)
    changed = scene.http.patch(
        f"/v1/messages/{message_id}", json={"send_at": "2026-01-01T00:00:00Z"}
    )
    scene.work()

    assert (before["state"], before["targeted"]) == ("scheduled", None)
    assert changed.is_success
    assert scene.assert_adds_up(message_id)["counts"]["accepted"] == 1


@pytest.mark.parametrize("audience", ['{"people": ["x"]}', "{}"])
def test_a_message_that_can_not_be_cut_fails_and_holds_up_nobody(
    scene: Scene, audience: str
) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    broken, fine = (
        str(scene.post("/v1/messages", {"to": {"all": True}, "content": {"title": "A"}})["id"])
        for _ in range(2)
    )
    scene.run_sql(
        "UPDATE message SET audience = CAST(:audience AS jsonb) WHERE public_id = :id",
        audience=audience,
        id=broken,
    )

    scene.work()

    assert scene.read(broken)["state"] == "failed"
    assert scene.read(broken)["failed_reason"]
    assert scene.read(fine)["state"] == "finished"


def test_words_that_can_not_be_stored_hold_up_nobody(scene: Scene) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    everybody = {"to": {"all": True}}
    skips = '{{ skip("a\\x00b\\ud800") }}'
    poison = scene.post("/v1/messages", {**everybody, "content": {"title": skips}})
    fine = scene.post("/v1/messages", {**everybody, "content": {"title": "Hello"}})

    scene.work()

    assert scene.assert_adds_up(poison["id"])["reasons"] == {
        "suppressed": {"skipped_by_template": 1}
    }
    assert scene.assert_adds_up(fine["id"])["counts"]["accepted"] == 1


def test_a_chunk_the_database_refuses_holds_up_nobody(scene: Scene) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    everybody = {"to": {"all": True}}
    broken = scene.post("/v1/messages", {**everybody, "content": {"title": "A"}})
    fine = scene.post("/v1/messages", {**everybody, "content": {"title": "B"}})
    scene.duties.cut_due()
    # No door lets such a rate in; a defect of ours might.
    scene.run_sql(
        "UPDATE message SET rate_per_second = 'NaN' WHERE public_id = :id", id=broken["id"]
    )

    scene.work()

    assert scene.assert_adds_up(fine["id"])["counts"]["accepted"] == 1
    assert scene.assert_adds_up(broken["id"])["open"] in {0, 1}
