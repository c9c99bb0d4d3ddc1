"""What happens on the platform reaches those who subscribed to it: all of it, once, and no more."""

from collections import Counter
from typing import Any

from sqlalchemy import text

from api.outbox_events import Shaped, shape
from delivery.outbox import repository as outbox
from delivery.outbox.entry import Kind
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.api.doors import phone
from tests.e2e.scene import Scene

_LEDGER = text(
    "SELECT d.public_id AS device, p.external_id AS person, l.state, l.reason FROM ledger l "
    "LEFT JOIN device d ON d.app_id = l.app_id AND d.id = l.device_id "
    "LEFT JOIN person p ON p.app_id = l.app_id AND p.id = l.person_id"
)


def subscribe(scene: Scene, *kinds: Kind) -> None:
    with scene.database.begin() as connection:
        app_id = connection.scalar(text("SELECT id FROM app"))
        outbox.subscribe(connection, app_id, "test", kinds)


def take(scene: Scene) -> list[Shaped]:
    with scene.database.begin() as connection:
        entries = outbox.claim(connection, "test", lease_seconds=60, limit=1_000)
        shaped = [one for entry in entries for one in shape(connection, entry)]
        assert outbox.acknowledge(connection, entries) == len(entries)
    assert len({one["id"] for one in shaped}) == len(shaped)
    assert {one["app_id"] for one in shaped} <= {scene.app_id}
    return shaped


def _send_to_all(scene: Scene) -> dict[str, Any]:
    scene.add_people(
        {"external_id": "ada", "attributes": {"first_name": "Ada"}},
        {"external_id": "nameless"},
        {"external_id": "phoneless"},
    )
    for serial, fate in enumerate(("accepted", "gone", "malformed", "sender_id_mismatch")):
        scene.add_device("ada", fcm_token(fate, serial))
    scene.add_iphone("ada", apns_token("unregistered", 9))
    scene.add_device("nameless", fcm_token("accepted", 5))
    content = {"title": "Hello {{ first_name }}"}
    sent = scene.post("/v1/messages", {"to": {"all": True}, "content": content})
    scene.work()
    return scene.assert_adds_up(str(sent["id"]))


def test_every_end_of_a_delivery_is_told(scene: Scene) -> None:
    subscribe(scene, Kind.DELIVERY_ENDED)

    message = _send_to_all(scene)

    told = [one["data"] for one in take(scene)]
    with scene.database.connect() as connection:
        ledger = connection.execute(_LEDGER).all()
    assert Counter(
        (one["device_id"], one["person"], one["state"], one["reason"]) for one in told
    ) == Counter(tuple(row) for row in ledger)
    assert len(told) == message["targeted"]
    assert {one["message_id"] for one in told} == {message["id"]}
    known = scene.http.get(f"/v1/deliveries?message={message['id']}").json()
    known = known.get("data", known)
    assert {one["id"] for one in known} <= {one["delivery_id"] for one in told}
    assert take(scene) == []


def test_what_is_cancelled_is_told(scene: Scene) -> None:
    subscribe(scene, Kind.DELIVERY_ENDED)
    scene.add_device(None, fcm_token("accepted", 1))
    sent = scene.post("/v1/messages", {"to": {"all": True}, "content": {"title": "Hi"}})
    scene.duties.cut_due()
    assert scene.http.post(f"/v1/messages/{sent['id']}/cancel").is_success
    scene.duties.sweep()

    assert [(one["data"]["state"], one["data"]["reason"]) for one in take(scene)] == [
        ("suppressed", "cancelled")
    ]


def test_where_nobody_listens_nothing_is_written(scene: Scene) -> None:
    _send_to_all(scene)

    assert scene.scalar("SELECT count(*) FROM outbox") == 0


def test_changes_of_devices_and_people_are_told(scene: Scene) -> None:
    subscribe(scene, Kind.DEVICE_CHANGED, Kind.DEVICE_REMOVED, Kind.PERSON_CHANGED)
    scene.add_people({"external_id": "ada"})
    scene.add_people({"external_id": "ada", "locale": "en"})
    device = scene.post("/v1/devices", phone(person="ada"))
    scene.http.post(f"/v1/devices/{device['id']}/unbind")
    scene.http.delete(f"/v1/devices/{device['id']}")
    scene.post("/v1/events", {"name": "tapped", "person": "new-one"})

    told = [(one["type"], one["data"]) for one in take(scene)]

    assert [kind for kind, _ in told] == [
        "person.changed", "person.changed", "device.changed", "device.changed",
        "device.removed", "person.changed",
    ]  # fmt: skip
    assert [data["is_new"] for _, data in told if "is_new" in data] == [
        True, False, True, False, True,
    ]  # fmt: skip
    assert [data["person"] for kind, data in told if kind == "device.changed"] == ["ada", None]
    assert {data["id"] for kind, data in told if "device" in kind} == {device["id"]}
    assert told[-1][1] == {"external_id": "new-one", "is_new": True}
