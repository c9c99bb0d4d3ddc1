"""Dead letters: counted by reason, and replayed as a new message."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from delivery.dead_letters import repository as dead_letters
from delivery.dead_letters.dead_letter import DeadLetterFilter
from delivery.messages import service as messages
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.api.doors import pointers, problem
from tests.e2e.scene import Scene


def send(scene: Scene, to: dict[str, Any], **fields: Any) -> str:
    body = {"to": to, "content": {"title": "Hello {{ first_name }}"}, **fields}
    return str(scene.post("/v1/messages", body)["id"])


def groups(scene: Scene, **query: str) -> dict[tuple[str, str], int]:
    answer = scene.http.get("/v1/dead-letters", params=query)
    assert answer.is_success, answer.text
    found = answer.json()
    assert found["recipients"] == sum(one["recipients"] for one in found["data"])
    return {(one["state"], one["reason"]): one["recipients"] for one in found["data"]}


def replay(scene: Scene, message: str, **narrowed: str) -> Any:
    return scene.http.post("/v1/dead-letters/replay", json={"message": message, **narrowed})


def stage(scene: Scene) -> str:
    """Send to two who are reached, two whom FCM refuses, one Apple refuses, and one who is gone."""
    scene.add_people(
        {"external_id": "ada", "attributes": {"first_name": "Ada"}},
        {"external_id": "none", "attributes": {"first_name": "No"}},
    )
    fates = ("accepted", "accepted", "sender_id_mismatch", "sender_id_mismatch", "gone")
    for serial, fate in enumerate(fates):
        scene.add_device("ada", fcm_token(fate, serial))
    scene.add_iphone("ada", apns_token("malformed", 9))
    message = send(scene, {"people": ["ada", "none"]})
    scene.work()
    assert scene.read(message)["state"] == "finished"
    return message


def heal(scene: Scene) -> None:
    """Let every device register again, with a token that is accepted."""
    scene.run_sql(
        "UPDATE target SET state = 'active', registered_at = now(), "
        "token = replace(replace(token, 'sender_id_mismatch', 'accepted'), 'gone', 'accepted')"
    )


def test_they_are_counted_by_reason_and_narrowed(scene: Scene) -> None:
    message = stage(scene)
    every = groups(scene)

    assert every == {
        ("rejected", "sender_id_mismatch"): 2,
        ("rejected", "bad_device_token"): 1,
        ("gone", "unregistered"): 1,
    }
    assert groups(scene, message=message) == every
    assert groups(scene, state="gone") == {("gone", "unregistered"): 1}
    assert groups(scene, reason="sender_id_mismatch") == {("rejected", "sender_id_mismatch"): 2}
    assert groups(scene, provider="apns") == {("rejected", "bad_device_token"): 1}
    assert groups(scene, since="2026-01-01T00:00:00Z") == every
    assert groups(scene, until="2026-01-01T00:00:00Z") == {}
    assert groups(scene, since="2099-01-01T00:00:00Z") == {}


def test_a_replay_goes_to_those_the_filter_finds(scene: Scene) -> None:
    original = stage(scene)
    heal(scene)

    answer = replay(scene, original, reason="sender_id_mismatch")
    assert answer.status_code == 202, answer.text
    scene.work()

    made = scene.assert_adds_up(answer.json()["id"])
    assert made["replay_of"] == original
    assert made["id"] != original
    assert made["title"] == "Hello {{ first_name }}"
    assert made["targeted"] == 2
    assert scene.read(original)["replay_of"] is None
    ((step),) = [
        one["words"]
        for one in scene.http.get(
            f"/v1/deliveries/{deliveries_of(scene, made['id'])[0]}/trace"
        ).json()["steps"]
        if one["step"] == "queued"
    ]
    assert original in step


def deliveries_of(scene: Scene, message: str) -> list[str]:
    page = scene.http.get("/v1/deliveries", params={"message": message}).json()
    return [one["id"] for one in page["data"]]


def test_what_is_retired_or_suspect_is_suppressed_as_ever(scene: Scene) -> None:
    original = stage(scene)

    made = replay(scene, original).json()

    assert made["targeted"] == 4
    assert made["reasons"]["suppressed"]["retired_before_send"] == 1
    assert made["reasons"]["suppressed"]["suspect"] >= 1


def test_who_was_replayed_once_is_a_dead_letter_of_the_replay(scene: Scene) -> None:
    original = stage(scene)
    scene.run_sql("UPDATE target SET state = 'active', registered_at = now()")
    first = replay(scene, original, reason="sender_id_mismatch").json()["id"]
    problem(replay(scene, original), 409, "replay_still_runs")
    scene.work()
    assert scene.read(first)["state"] == "finished"

    second = replay(scene, original).json()

    assert second["targeted"] == 2
    problem(replay(scene, original, reason="sender_id_mismatch"), 409, "replay_still_runs")
    scene.work()
    problem(replay(scene, original), 409, "no_dead_letters")
    assert groups(scene, message=first) == {("rejected", "sender_id_mismatch"): 2}


def test_a_message_that_still_runs_is_not_replayed(scene: Scene) -> None:
    device = scene.add_device(None, fcm_token("gone", 1))
    running = send(scene, {"devices": [device]})
    later = send(scene, {"all": True}, send_at="2099-01-01T00:00:00Z")

    problem(replay(scene, running), 409, "message_still_runs")
    problem(replay(scene, later), 409, "message_still_runs")
    scene.http.post(f"/v1/messages/{later}/cancel").raise_for_status()
    problem(replay(scene, later), 409, "no_dead_letters")
    assert scene.scalar("SELECT count(*) FROM message") == 2


@pytest.mark.parametrize(
    ("narrowed", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"state": "suppressed"}, "/state"),
        ({"state": None}, ""),
        ({"provider": "pigeon"}, "/provider"),
        ({"reason": ""}, "/reason"),
        ({"since": "yesterday"}, "/since"),
    ],
)
def test_a_filter_that_does_not_exist_is_refused(
    scene: Scene, narrowed: dict[str, Any], pointer: str
) -> None:
    original = stage(scene)

    document = problem(replay(scene, original, **narrowed), 422, "invalid_payload")

    assert pointer in pointers(document)
    assert scene.scalar("SELECT count(*) FROM message") == 1


def test_nobody_to_replay_to_is_a_conflict(scene: Scene) -> None:
    original = stage(scene)

    problem(replay(scene, original, reason="no_such_reason"), 409, "no_dead_letters")
    problem(replay(scene, original, until="2026-01-01T00:00:00Z"), 409, "no_dead_letters")
    problem(replay(scene, "msg_nothing"), 404, "message_not_found")


def test_the_same_idempotency_key_replays_once(scene: Scene) -> None:
    original = stage(scene)
    body = {"message": original}
    headers = {"Idempotency-Key": "replay-1"}

    answers = [
        scene.http.post("/v1/dead-letters/replay", json=body, headers=headers) for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replay"] == "true"
    assert scene.scalar("SELECT count(*) FROM message WHERE replay_of IS NOT NULL") == 1


def test_what_was_meant_for_an_earlier_owner_is_not_sent_to_the_next(scene: Scene) -> None:
    original = stage(scene)
    scene.add_people({"external_id": "bob", "attributes": {"first_name": "Bob"}})
    heal(scene)
    scene.run_sql(
        "UPDATE device SET person_id = (SELECT id FROM person WHERE external_id = 'bob') "
        "WHERE id IN (SELECT device_id FROM ledger WHERE reason = 'sender_id_mismatch')"
    )

    problem(replay(scene, original, reason="sender_id_mismatch"), 409, "no_dead_letters")


def test_many_are_left_to_the_scheduler(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.replaying.CUT_AT_ONCE", 1)
    original = stage(scene)
    heal(scene)

    made = replay(scene, original, state="rejected", since="2026-01-01T00:00:00Z").json()
    assert (made["state"], made["targeted"]) == ("scheduled", None)
    scene.work()

    assert scene.assert_adds_up(made["id"])["targeted"] == 3


def test_the_few_left_of_many_are_left_to_the_scheduler_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.replaying.CUT_AT_ONCE", 2)
    original = stage(scene)
    heal(scene)
    first = replay(scene, original, reason="sender_id_mismatch").json()
    scene.work()

    rest = replay(scene, original, state="rejected").json()

    assert (first["state"], first["targeted"]) == ("running", 2)
    assert (rest["state"], rest["targeted"]) == ("scheduled", None)
    scene.work()
    assert scene.assert_adds_up(rest["id"])["targeted"] == 1


def test_what_ended_late_because_nothing_ran_is_found_by_its_end(scene: Scene) -> None:
    stage(scene)
    scene.run_sql("UPDATE ledger SET at = now() + interval '5 days'")
    later = (datetime.now(UTC) + timedelta(days=4)).isoformat()

    assert sum(groups(scene, since=later).values()) == 4
    assert groups(scene, until=later) == {}


def test_whom_a_replay_did_not_send_to_can_be_replayed_again(scene: Scene) -> None:
    original = stage(scene)
    heal(scene)
    scene.run_sql("UPDATE credential SET state = 'retired' WHERE provider = 'fcm'")
    without = replay(scene, original, reason="sender_id_mismatch").json()
    scene.work()
    assert scene.read(without["id"])["reasons"] == {"suppressed": {"no_credential": 2}}
    scene.run_sql("UPDATE credential SET state = 'active'")
    cancelled = replay(scene, original, reason="sender_id_mismatch").json()["id"]
    scene.http.post(f"/v1/messages/{cancelled}/cancel").raise_for_status()
    scene.work()
    assert scene.read(cancelled)["reasons"] == {"suppressed": {"cancelled": 2}}

    third = replay(scene, original, reason="sender_id_mismatch").json()["id"]
    scene.work()

    assert scene.assert_adds_up(third)["counts"]["accepted"] == 2
    problem(replay(scene, original, reason="sender_id_mismatch"), 409, "no_dead_letters")


def test_who_left_since_the_replay_was_made_does_not_get_it(scene: Scene) -> None:
    original = stage(scene)
    heal(scene)
    scene.add_people({"external_id": "bob"})
    made = replay(scene, original, provider="fcm").json()["id"]
    scene.sandbox.control.reset()
    devices = scene.scalar(
        "SELECT array_agg(d.public_id) FROM chunk c JOIN device d ON d.id = ANY(c.device_ids)"
    )
    scene.post(f"/v1/devices/{devices[0]}/bind", {"person": "bob"})
    denied = scene.http.patch(f"/v1/devices/{devices[1]}", json={"permission": "denied"})
    denied.raise_for_status()
    scene.http.delete(f"/v1/devices/{devices[2]}").raise_for_status()

    scene.work()

    assert scene.assert_adds_up(made)["reasons"] == {
        "suppressed": {"moved": 1, "no_permission": 1, "retired_before_send": 1}
    }
    assert list(scene.sandbox.control.accepted()) == []


def test_of_many_replays_at_once_one_is_made(scene: Scene) -> None:
    original = stage(scene)
    heal(scene)

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: replay(scene, original), range(8)))

    assert sorted(answer.status_code for answer in given) == [202] + [409] * 7
    assert scene.scalar("SELECT count(*) FROM message WHERE replay_of IS NOT NULL") == 1


def test_those_left_of_many_are_found_by_a_join(scene: Scene) -> None:
    original = stage(scene)
    with scene.database.connect() as connection:
        app_id = connection.scalar(text("SELECT id FROM app"))
        found = messages.find(connection, app_id, original)
        wanted = DeadLetterFilter(message_id=found.id)
        sql, values = dead_letters.devices_of(dead_letters.audience_of(found, wanted))
        explained = connection.execute(text(f"EXPLAIN {sql}"), {"app_id": app_id, **values})
        plan = "\n".join(explained.scalars())

    # With an anti join it expects nobody to be left; a subplan is run for each.
    assert "Anti Join" not in plan
    assert "SubPlan" not in plan
