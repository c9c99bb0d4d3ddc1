"""Phones report what arrived and what was opened: stored once, traced, counted and never denied."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.clock import utc_now
from core.ids import delivery_id
from delivery.outbox.entry import Kind
from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene
from tests.e2e.test_dead_letters import groups, replay
from tests.e2e.test_outbox import subscribe, take
from tests.e2e.test_statistics import read
from tests.e2e.test_traces import assert_in_order, deliveries, names, trace


@pytest.fixture
def ada(scene: Scene) -> Scene:
    """Ada has two phones, of which one is silent, and nobody has signed in on a third."""
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_device("ada", fcm_token("accepted", 2), permission="denied")
    scene.add_device(None, fcm_token("accepted", 3))
    return scene


def send(scene: Scene, **fields: Any) -> str:
    body = {"to": {"all": True}, "content": {"title": "A"}, **fields}
    message = str(scene.post("/v1/messages", body)["id"])
    scene.work()
    return message


def report(scene: Scene, delivery: str, milestone: str, **fields: Any) -> Any:
    body = {"delivery_id": delivery, "milestone": milestone, **fields}
    return scene.http.post("/v1/receipts", json=body)


def told(scene: Scene, delivery: str, milestone: str, **fields: Any) -> str:
    answer = report(scene, delivery, milestone, **fields)
    status = str(answer.json()["status"])
    assert answer.status_code == {"accepted": 201, "duplicate": 200}[status], answer.text
    return status


def accepted(scene: Scene, message: str) -> list[str]:
    return [one["id"] for one in deliveries(scene, message=message) if one["state"] == "accepted"]


def receipts(scene: Scene, message: str) -> dict[str, int]:
    found: dict[str, int] = scene.read(message)["receipts"]
    return found


def test_what_a_phone_reports_is_in_the_trace_and_counted_once(ada: Scene) -> None:
    message = send(ada)
    first, second = accepted(ada, message)

    fates = [told(ada, first, name) for name in ("confirmed", "confirmed", "opened", "opened")]

    assert fates == ["accepted", "duplicate", "accepted", "duplicate"]
    found = trace(ada, first.upper())
    assert names(found)[-3:] == ["answered", "receipt", "receipt"]
    assert found["words"].endswith("The phone reported that it was opened.")
    assert [step["words"] for step in found["steps"][-2:]] == [
        "The phone reported that it arrived.",
        "The phone reported that it was opened.",
    ]
    assert_in_order(found)
    assert "receipt" not in names(trace(ada, second))
    for _ in range(2):
        assert receipts(ada, message) == {"confirmed": 1, "opened": 1}
        ada.assert_adds_up(message)
        ada.duties.roll_up()


def test_what_was_opened_has_arrived_and_counts_so_once(ada: Scene) -> None:
    message = send(ada)
    first, _ = accepted(ada, message)
    opened_at = utc_now()

    assert told(ada, first, "opened", at=opened_at.isoformat()) == "accepted"
    concluded = trace(ada, first)
    before = receipts(ada, message)
    # The phone was without a net when it arrived.
    arrived_at = opened_at - timedelta(hours=1)
    assert told(ada, first, "confirmed", at=arrived_at.isoformat()) == "accepted"
    assert told(ada, first, "confirmed") == "duplicate"

    assert [step["words"] for step in concluded["steps"][-2:]] == [
        "It was opened, so it had arrived.",
        "The phone reported that it was opened.",
    ]
    assert before == receipts(ada, message) == {"confirmed": 1, "opened": 1}
    arrived = trace(ada, first)["steps"][-2]
    assert arrived["words"] == "The phone reported that it arrived."
    # No phone can have it before the message began, whatever its clock says.
    assert arrived["at"] == ada.read(message)["started_at"]


def test_times_are_moved_by_what_the_phones_clock_says_and_never_lie_ahead(ada: Scene) -> None:
    message = send(ada)
    first, second = accepted(ada, message)
    wrong = utc_now() + timedelta(days=400)

    body = {
        "sent_at": wrong.isoformat(),
        "receipts": [{"delivery_id": first, "milestone": "confirmed", "at": wrong.isoformat()}],
    }
    assert ada.post("/v1/receipts", body)["accepted"] == 1
    told(ada, second, "confirmed", at=(utc_now() + timedelta(hours=7)).isoformat())

    for delivery in (first, second):
        at = datetime.fromisoformat(trace(ada, delivery)["steps"][-1]["at"])
        assert utc_now() - timedelta(minutes=1) < at <= utc_now()


def test_a_push_that_arrives_before_its_answer_is_recorded_is_known(ada: Scene) -> None:
    message = str(ada.post("/v1/messages", {"to": {"all": True}, "content": {"title": "A"}})["id"])
    ada.duties.cut_due()
    (first, second) = (
        one["id"] for one in deliveries(ada, message=message) if one["state"] == "pending"
    )

    # Nobody has taken it up yet: it can not have arrived.
    assert report(ada, first, "confirmed").status_code == 404
    ada.run_sql("UPDATE chunk SET first_attempt_at = now(), intended = 1, open = ARRAY[0]")

    assert told(ada, first, "confirmed") == "accepted"
    assert trace(ada, first)["steps"][-1]["step"] == "receipt"
    assert told(ada, second, "opened") == "accepted"
    assert told(ada, first, "confirmed") == "duplicate"


def test_of_what_was_cancelled_or_expired_in_its_first_chunk_nothing_can_be_reported(
    ada: Scene,
) -> None:
    for statement in (None, "UPDATE message SET expires_at = now()"):
        body = {"to": {"all": True}, "content": {"title": "A"}}
        message = str(ada.post("/v1/messages", body)["id"])
        ada.duties.cut_due()
        if statement:
            ada.run_sql(statement)
            ada.duties.sweep()
        else:
            ada.post(f"/v1/messages/{message}/cancel", {})
        found = deliveries(ada, message=message)
        assert {one["state"] for one in found} <= {"suppressed", "expired"}
        for one in found:
            assert report(ada, one["id"], "opened").status_code == 404
        assert receipts(ada, message) == {"confirmed": 0, "opened": 0}


def test_many_and_few_of_a_campaign_under_way_are_found(scene: Scene) -> None:
    for number in range(60):
        scene.add_device(None, fcm_token("accepted", number))
    message = str(
        scene.post("/v1/messages", {"to": {"all": True}, "content": {"title": "A"}})["id"]
    )
    scene.duties.cut_due()
    scene.run_sql("UPDATE chunk SET first_attempt_at = now(), intended = 0")
    ids = [one["id"] for one in deliveries(scene, message=message, limit="200")]

    for part in (ids[:1], ids):
        batch = [{"delivery_id": one, "milestone": "confirmed"} for one in part]
        assert scene.post("/v1/receipts", {"receipts": batch})["rejected"] == 0
    assert receipts(scene, message) == {"confirmed": 60, "opened": 0}


def test_lists_say_what_was_reported(ada: Scene) -> None:
    message = send(ada)
    (mine,) = (one["id"] for one in deliveries(ada, person="ada") if one["state"] == "accepted")
    told(ada, mine, "opened")

    listed = [*deliveries(ada, person="ada"), *deliveries(ada, message=message)]
    listed += ada.http.get("/v1/people/ada/messages").json()["data"]

    assert len(listed) == 7
    for one in listed:
        reported = [name for name, at in one["receipts"].items() if at]
        assert reported == (["confirmed", "opened"] if one["id"] == mine else [])


def test_a_fault_of_ours_asks_phones_to_come_again(ada: Scene) -> None:
    first, second = accepted(ada, send(ada))
    ada.run_sql("ALTER TABLE receipt RENAME TO receipt_away")

    answer = report(ada, first, "confirmed")
    batch = [{"delivery_id": one, "milestone": "confirmed"} for one in (first, second)]
    many = ada.http.post("/v1/receipts", json={"receipts": batch})

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (many.status_code, many.json()["code"]) == (503, "unavailable")
    ada.run_sql("ALTER TABLE receipt_away RENAME TO receipt")
    assert told(ada, first, "confirmed") == "accepted"


def test_of_what_never_left_nothing_can_be_reported(ada: Scene) -> None:
    message = send(ada)
    (silent,) = (
        one["id"] for one in deliveries(ada, message=message) if one["state"] == "suppressed"
    )
    device = ada.scalar("SELECT max(id) + 1 FROM device")

    for delivery in (silent, delivery_id(message, device), delivery_id("msg_other", 1)):
        assert report(ada, delivery, "confirmed").json()["code"] == "delivery_not_found"
    assert receipts(ada, message) == {"confirmed": 0, "opened": 0}


def test_who_has_it_is_no_dead_letter_although_no_answer_came(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted_unanswered", 1))
    scene.add_device("ada", fcm_token("malformed", 2))
    body = {"to": {"people": ["ada"]}, "content": {"title": "A"}, "policy": "at_most_once"}
    message = str(scene.post("/v1/messages", body)["id"])
    scene.duties.cut_due()
    scene.work_until(lambda: scene.read(message)["open"] == 0)
    scene.duties.sweep()
    (unknown,) = (
        one["id"] for one in deliveries(scene, message=message) if one["state"] == "unknown"
    )
    assert {state for state, _ in groups(scene)} == {"unknown", "rejected"}

    told(scene, unknown, "confirmed")

    assert [state for state, _ in groups(scene)] == ["rejected"]
    assert trace(scene, unknown)["words"].endswith("The phone reported that it arrived.")
    replayed = replay(scene, message)
    assert replayed.is_success, replayed.text
    assert replayed.json()["targeted"] == 1


def test_receipts_are_counted_over_time_but_not_those_of_tests(ada: Scene) -> None:
    for is_test in (False, True):
        first, _ = accepted(ada, send(ada, is_test=is_test))
        told(ada, first, "opened")

    for _ in range(2):
        buckets = read(ada, minutes=5, bucket_seconds=10)["data"]
        counts = [bucket["receipts"] for bucket in buckets]
        assert sum(one["confirmed"] for one in counts) == 1
        assert sum(one["opened"] for one in counts) == 1
        assert sum(sum(bucket["counts"].values()) for bucket in buckets) == 3
        ada.duties.roll_up()


def test_receipts_are_told_to_who_subscribed_once(ada: Scene) -> None:
    subscribe(ada, Kind.DELIVERY_CONFIRMED, Kind.DELIVERY_OPENED)
    message = send(ada)
    first, second = accepted(ada, message)

    told(ada, first, "opened")
    told(ada, first, "confirmed")
    told(ada, first, "opened")
    told(ada, second, "confirmed")

    facts = {(one["type"], one["data"]["delivery_id"]): one["data"] for one in take(ada)}
    assert set(facts) == {
        ("delivery.confirmed", first),
        ("delivery.opened", first),
        ("delivery.confirmed", second),
    }
    opened = facts["delivery.opened", first]
    assert (opened["message_id"], opened["is_test"]) == (message, False)
    assert {one["person"] for one in facts.values()} == {"ada", None}
    assert all(one["device_id"].startswith("dev_") for one in facts.values())


def test_rules_find_who_opened_a_message_who_became_somebody_else_too(ada: Scene) -> None:
    message = send(ada)
    (mine,) = (one["id"] for one in deliveries(ada, person="ada") if one["state"] == "accepted")
    told(ada, mine, "opened")
    ada.add_people({"external_id": "lovelace"})
    ada.post("/v1/merges", {"from": "ada", "into": "lovelace"})

    for milestone, since in (("opened", {}), ("confirmed", {"window": {"last": "1 day"}})):
        rule = {"type": "message", "milestone": milestone, "message": message, **since}
        found = ada.post("/v1/segments/count", {"rule": rule})
        assert (found["people"], found["warnings"]) == (1, [])
        whom = {"rule": rule, "person": "lovelace"}
        assert ada.post("/v1/segments/explain", whom)["member"] is True
    with ada.database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM receipt")) == 2
