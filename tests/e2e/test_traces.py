"""Why did this person not get it? Deliveries by token, person and message, and their traces."""

from typing import Any

from core.ids import delivery_id
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.e2e.scene import Scene


def send(scene: Scene, to: dict[str, Any], title: str = "A", **fields: Any) -> str:
    body = {"to": to, "content": {"title": title}, **fields}
    return str(scene.post("/v1/messages", body)["id"])


def deliveries(scene: Scene, **query: str) -> list[dict[str, Any]]:
    answer = scene.http.get("/v1/deliveries", params=query)
    assert answer.is_success, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def trace(scene: Scene, delivery: str) -> dict[str, Any]:
    answer = scene.http.get(f"/v1/deliveries/{delivery}/trace")
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [step["step"] for step in found["steps"]]


def assert_in_order(found: dict[str, Any]) -> None:
    moments = [step["at"] for step in found["steps"] if step["at"]]
    assert moments == sorted(moments)
    for step in found["steps"]:
        assert step["words"]
        assert not step["since"] or not step["at"] or step["since"] <= step["at"]


def test_the_id_that_apple_got_leads_to_the_trace(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    device = scene.add_iphone("ada", apns_token("accepted", 1))
    message = send(scene, {"people": ["ada"]})
    scene.work()
    ((_, apns_id),) = scene.sandbox.control.accepted()

    found = trace(scene, apns_id.upper())

    assert found["id"] == apns_id
    assert (found["message"], found["device"], found["person"]) == (message, device, "ada")
    assert names(found) == [
        "queued", "planned", "claimed", "rendered", "paced", "sent", "answered",
    ]  # fmt: skip
    assert apns_id in found["steps"][-1]["words"]
    assert_in_order(found)


def test_each_end_says_why_in_plain_words(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    gone = scene.add_device("ada", fcm_token("gone", 1))
    quiet = scene.add_device("ada", fcm_token("accepted", 2), permission="denied")
    message = send(scene, {"people": ["ada"]})
    scene.work()
    listed = {one["device"]: trace(scene, one["id"]) for one in deliveries(scene, message=message)}

    assert listed[gone]["words"] == (
        "The app was removed from this device, so the gateway ended its registration."
    )
    assert names(listed[gone])[-1] == "answered"
    assert listed[quiet]["words"] == "Notifications are switched off on this device."
    assert names(listed[quiet]) == ["queued", "planned", "suppressed"]
    for found in listed.values():
        assert_in_order(found)


def test_a_person_without_a_device_has_a_trace_too(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    send(scene, {"people": ["ada"]})
    (entry,) = deliveries(scene, person="ada")

    found = trace(scene, entry["id"])

    assert (found["device"], found["person"], found["reason"]) == (None, "ada", "no_device")


def test_a_retry_is_shown_with_its_reason_and_its_time(scene: Scene) -> None:
    scene.sandbox.control.profile(retry_after_seconds=1)
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("throttled_once", 1))
    message = send(scene, {"people": ["ada"]})
    scene.work()
    (entry,) = deliveries(scene, person="ada")
    meanwhile = trace(scene, entry["id"])
    scene.work_until(lambda: scene.read(message)["state"] == "finished")

    at_last = trace(scene, entry["id"])

    assert names(meanwhile) == ["queued", "planned", "claimed", "retried", "waiting"]
    assert meanwhile["state"] == "pending"
    assert meanwhile["next_attempt_at"] > meanwhile["steps"][3]["at"]
    assert meanwhile["reason"].replace("_", " ") in meanwhile["steps"][3]["words"]
    assert names(at_last) == [
        "queued", "planned", "claimed", "retried", "rendered", "paced", "sent", "answered",
    ]  # fmt: skip
    assert (at_last["state"], at_last["attempt"]) == ("accepted", 2)
    for found in (meanwhile, at_last):
        assert_in_order(found)


def test_an_open_one_says_what_it_waits_for(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted", 1))
    message = send(scene, {"people": ["ada"]})
    (entry,) = deliveries(scene, person="ada")
    before = trace(scene, entry["id"])
    scene.post(f"/v1/messages/{message}/pause", {})

    paused = trace(scene, entry["id"])

    assert before["words"] == "Its turn has not come yet."
    assert (paused["reason"], paused["words"]) == (
        "message_paused", "The message is paused; resume it to go on.",
    )  # fmt: skip
    assert names(paused) == ["queued", "planned", "waiting"]
    assert paused["steps"][-1]["at"] is None


def test_a_token_has_the_newest_first_in_pages(scene: Scene) -> None:
    token = fcm_token("accepted", 1)
    device = scene.add_device(None, token)
    sent = [send(scene, {"devices": [device]}, title) for title in "AB"]
    scene.work()
    scene.add_people({"external_id": "ada"})
    scene.post(f"/v1/devices/{device}/bind", {"person": "ada"})
    sent += [send(scene, {"people": ["ada"]}, "C")]

    first = scene.http.get("/v1/deliveries", params={"token": token, "limit": "2"}).json()
    rest = deliveries(scene, token=token, limit="2", cursor=first["next_cursor"])

    assert [one["message"] for one in first["data"] + rest] == sent[::-1]
    assert [one["state"] for one in first["data"]] == ["pending", "accepted"]
    assert [one["person"] for one in first["data"]] == ["ada", None]


def test_a_message_is_listed_whole_in_pages_of_any_size(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"}, {"external_id": "bob"}, {"external_id": "eve"})
    for serial in range(3):
        scene.add_device("ada", fcm_token("throttled", serial))
    for serial in range(3, 6):
        scene.add_device("ada", fcm_token("accepted", serial))
    message = send(scene, {"people": ["ada", "bob", "eve"]})
    scene.work()

    for limit in ("1", "2", "4", "200"):
        seen: list[dict[str, Any]] = []
        query = {"message": message, "limit": limit}
        while True:
            page = scene.http.get("/v1/deliveries", params=query).json()
            seen += page["data"]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]

        assert len({one["id"] for one in seen}) == len(seen) == 8, limit
        assert [one["state"] for one in seen] == (
            ["pending"] * 3 + ["accepted"] * 3 + ["suppressed"] * 2
        )


def test_what_was_sent_for_an_earlier_owner_stands_with_that_person(scene: Scene) -> None:
    token = fcm_token("accepted", 1)
    scene.add_people({"external_id": "ada"}, {"external_id": "bob"})
    device = scene.add_device("ada", token)
    send(scene, {"people": ["ada"]})
    scene.work()
    scene.post(f"/v1/devices/{device}/bind", {"person": "bob"})

    assert deliveries(scene, token=token) == []
    assert len(deliveries(scene, person="ada")) == 1


def test_a_trace_outlives_its_device(scene: Scene) -> None:
    device = scene.add_device(None, fcm_token("accepted", 1))
    message = send(scene, {"devices": [device]})
    scene.work()
    number = scene.scalar("SELECT id FROM device")
    assert scene.http.delete(f"/v1/devices/{device}").status_code == 204

    found = trace(scene, delivery_id(message, number))

    assert (found["state"], found["device"]) == ("accepted", None)


def test_a_lost_worker_is_told_from_one_that_works(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted", 1))
    send(scene, {"people": ["ada"]}, rate_per_second=0.5)
    (entry,) = deliveries(scene, person="ada")
    held = "UPDATE chunk SET lease_until = clock_timestamp() + interval '1 minute'"

    before = trace(scene, entry["id"])["words"]
    scene.run_sql(held)
    in_hand = trace(scene, entry["id"])["words"]
    scene.run_sql("UPDATE chunk SET intended = 1, open = '{0}'")
    on_its_way = trace(scene, entry["id"])["words"]
    scene.run_sql(held.replace("+", "-"))
    lost = trace(scene, entry["id"])["words"]
    back = "UPDATE chunk SET intended = 0, open = '{}', lease_until = NULL, due_at = :due"
    scene.run_sql(back, due="2099-01-01T00:00:00Z")
    awaits_permit = trace(scene, entry["id"])["words"]

    slow = " The message goes at no more than 0.5 a second."
    assert before == f"Its turn has not come yet.{slow}"
    assert in_hand == f"A worker has it in hand; no answer has been recorded yet.{slow}"
    assert on_its_way == "It is on its way: no answer has been recorded yet."
    assert lost == "Its worker was lost while it was on its way; the next worker settles it."
    assert awaits_permit.endswith("Limits and quotas let it go on at 2099-01-01 00:00:00 UTC.")
