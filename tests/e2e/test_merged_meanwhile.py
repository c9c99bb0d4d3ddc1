"""People who become one while a message is on its way: it arrives, once, and is found with them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text

from campaigns.audience import source_of
from delivery import fanout
from delivery.messages import repository as messages
from delivery.sandbox.tokens import fcm_token
from segments.identity import merging
from segments.identity.names import hold_ids
from tests.e2e.scene import Scene

CONTENT = {"title": "Hello {{ first_name }}"}


def _people(scene: Scene, *, devices: int = 2) -> None:
    scene.add_people(
        {"external_id": "ada", "attributes": {"first_name": "Ada"}},
        {"external_id": "bob", "attributes": {"first_name": "Bob"}},
    )
    for number, name in enumerate(("ada", "bob")[:devices]):
        scene.add_device(name, fcm_token("accepted", number))


def _send(scene: Scene, *people: str, **fields: Any) -> str:
    body = {"to": {"people": list(people)}, "content": CONTENT, **fields}
    return str(scene.post("/v1/messages", body)["id"])


def _merge(scene: Scene) -> str:
    return str(scene.post("/v1/merges", {"into": "bob", "from": "ada"})["id"])


def _entries(scene: Scene, name: str) -> list[tuple[str, str]]:
    data = scene.http.get(f"/v1/people/{name}/messages").raise_for_status().json()["data"]
    return [(one["message"], one["state"]) for one in data]


def _seen(scene: Scene) -> list[str]:
    return sorted(token for token, _ in scene.sandbox.control.accepted())


def test_what_is_cut_already_still_arrives_and_is_found_with_who_stays(scene: Scene) -> None:
    _people(scene, devices=1)
    message = _send(scene, "ada")
    _merge(scene)
    assert _entries(scene, "bob") == [(message, "pending")]

    scene.work()

    assert _seen(scene) == [fcm_token("accepted", 0)]
    assert scene.assert_adds_up(message)["counts"]["accepted"] == 1
    assert _entries(scene, "bob") == _entries(scene, "ada") == [(message, "accepted")]
    listed = scene.http.get(f"/v1/messages/{message}/deliveries").json()["data"]
    assert [one["person"] for one in listed] == ["bob"]


def test_a_device_that_went_to_a_third_person_has_moved(scene: Scene) -> None:
    _people(scene, devices=1)
    scene.add_people({"external_id": "cyd"})
    message = _send(scene, "ada")
    _merge(scene)
    scene.run_sql("UPDATE device SET person_id = (SELECT id FROM person WHERE external_id = 'cyd')")

    scene.work()

    assert scene.assert_adds_up(message)["reasons"] == {"suppressed": {"moved": 1}}
    assert _seen(scene) == []


def test_a_device_that_was_unbound_has_moved(scene: Scene) -> None:
    _people(scene, devices=1)
    message = _send(scene, "ada")
    _merge(scene)
    scene.run_sql("UPDATE device SET person_id = NULL")

    scene.work()

    assert scene.assert_adds_up(message)["reasons"] == {"suppressed": {"moved": 1}}


def test_an_audience_that_waits_follows_who_stays(scene: Scene) -> None:
    _people(scene)
    later = "2099-01-01T00:00:00Z"
    message = _send(scene, "ada", "bob", send_at=later)
    _merge(scene)
    scene.run_sql("UPDATE message SET send_at = now()")

    scene.work()

    assert _seen(scene) == [fcm_token("accepted", 0), fcm_token("accepted", 1)]
    assert scene.assert_adds_up(message)["targeted"] == 2


def test_a_merge_that_is_undone_in_between_changes_nothing(scene: Scene) -> None:
    _people(scene)
    message = _send(scene, "ada", "bob")
    scene.post(f"/v1/merges/{_merge(scene)}/undo", {})

    scene.work()

    assert scene.assert_adds_up(message)["counts"]["accepted"] == 2
    assert _entries(scene, "ada") == _entries(scene, "bob") == [(message, "accepted")]


def test_what_was_cut_for_who_stayed_does_not_reach_who_left_again(scene: Scene) -> None:
    _people(scene, devices=1)
    merge = _merge(scene)
    message = _send(scene, "bob")
    scene.post(f"/v1/merges/{merge}/undo", {})

    scene.work()

    assert scene.assert_adds_up(message)["reasons"] == {"suppressed": {"moved": 1}}


def test_two_without_a_device_are_one_person_without_a_device(scene: Scene) -> None:
    _people(scene, devices=0)
    message = _send(scene, "ada", "bob")
    _merge(scene)

    assert scene.assert_adds_up(message)["targeted"] == 2
    assert _entries(scene, "bob") == [(message, "suppressed")]


def test_a_merge_during_the_cut_neither_loses_nor_doubles_anybody(scene: Scene) -> None:
    _people(scene)
    message = _send(scene, "ada", "bob", send_at="2099-01-01T00:00:00Z")
    scene.run_sql("UPDATE message SET send_at = now()")
    with scene.database.begin() as connection:
        due = messages.claim_due(connection)
        assert due is not None
        fanout.cut(connection, due, source_of(connection, due.app_id, due.audience), 1_000)
        # The cut is not committed yet.
        _merge(scene)

    scene.work()

    assert _seen(scene) == [fcm_token("accepted", 0), fcm_token("accepted", 1)]
    assert scene.assert_adds_up(message)["counts"]["accepted"] == 2
    assert _entries(scene, "bob") == [(message, "accepted")] * 2


def test_a_merge_waits_for_who_binds_a_device_and_takes_it_along(scene: Scene) -> None:
    _people(scene, devices=0)
    app_id = scene.scalar("SELECT id FROM app")
    began = threading.Event()

    def merge() -> None:
        with scene.database.begin() as connection:
            began.set()
            merging.merge(connection, app_id, "bob", "ada")

    with ThreadPoolExecutor(1) as pool:
        with scene.database.begin() as connection:
            person_id = hold_ids(connection, app_id, ["ada"])["ada"]
            running = pool.submit(merge)
            began.wait(timeout=30)
            _wait_for_a_lock(scene)
            connection.execute(
                text(
                    "INSERT INTO device (app_id, public_id, installation_id, person_id, platform) "
                    "VALUES (:app_id, 'dev_new', 'new', :person_id, 'ios')"
                ),
                {"app_id": app_id, "person_id": person_id},
            )
        running.result(timeout=60)

    owner = "SELECT external_id FROM device d JOIN person p ON p.id = d.person_id"
    assert scene.scalar(owner) == "bob"


def test_who_binds_a_device_waits_for_a_merge_and_finds_who_stays(scene: Scene) -> None:
    _people(scene, devices=0)
    app_id = scene.scalar("SELECT id FROM app")
    with ThreadPoolExecutor(1) as pool:
        with scene.database.begin() as connection:
            merging.merge(connection, app_id, "bob", "ada")
            running = pool.submit(scene.add_device, "ada", fcm_token("accepted", 7))
            _wait_for_a_lock(scene)
        running.result(timeout=60)

    owner = "SELECT external_id FROM device d JOIN person p ON p.id = d.person_id"
    assert scene.scalar(owner) == "bob"


def _wait_for_a_lock(scene: Scene) -> None:
    """Wait until somebody waits for somebody else."""
    for _ in range(3_000):
        if scene.scalar(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


def test_a_dead_letter_is_replayed_to_the_device_of_who_stays(scene: Scene) -> None:
    _people(scene, devices=1)
    message = _send(scene, "ada")
    scene.run_sql("UPDATE message SET expires_at = now() - interval '1 second'")
    scene.work()
    _merge(scene)

    replay = scene.post("/v1/dead-letters/replay", {"message": message})

    assert replay["targeted"] == 1
    scene.work()
    assert _entries(scene, "bob") == [(replay["id"], "accepted"), (message, "expired")]
