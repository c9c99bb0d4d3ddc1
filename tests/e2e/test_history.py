"""What one person was sent, and why it did not arrive."""

from typing import Any

from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene


def test_history_tells_what_became_of_each_push_and_what_is_pending(scene: Scene) -> None:
    scene.add_people({"external_id": "team/ada"})
    device = scene.add_device("team/ada", fcm_token("accepted", 1))
    sent = scene.post("/v1/messages", {"to": {"people": ["team/ada"]}, "content": {"title": "A"}})
    scene.work()
    scene.http.patch(f"/v1/devices/{device}", json={"permission": "denied"}).raise_for_status()
    scene.post("/v1/messages", {"to": {"people": ["team/ada"]}, "content": {"title": "B"}})
    scene.run_sql("UPDATE device SET permission = 'granted'")
    waiting = scene.post(
        "/v1/messages", {"to": {"people": ["team/ada"]}, "content": {"title": "C"}}
    )

    answer = scene.http.get("/v1/people/team/ada/messages").json()

    assert [(entry["state"], entry["reason"]) for entry in answer["data"]] == [
        ("pending", None), ("suppressed", "no_permission"), ("accepted", None),
    ]  # fmt: skip
    assert answer["data"][0]["message"] == waiting["id"]
    assert answer["data"][2]["message"] == sent["id"]
    assert {entry["device"] for entry in answer["data"]} == {device}


def test_history_is_paged(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    for serial in range(3):
        scene.add_device("ada", fcm_token("accepted", serial))
    for title in "AB":
        scene.post("/v1/messages", {"to": {"people": ["ada"]}, "content": {"title": title}})
    scene.work()

    seen: list[tuple[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?limit=2{f'&cursor={cursor}' if cursor else ''}"
        page = scene.http.get(f"/v1/people/ada/messages{query}").json()
        seen += [(entry["message"], entry["device"]) for entry in page["data"]]
        cursor = page["next_cursor"]

    assert len(seen) == len(set(seen)) == 6


def test_an_unknown_person_has_no_history(scene: Scene) -> None:
    assert scene.http.get("/v1/people/nobody/messages").status_code == 404


def device_history(scene: Scene, device: str, **query: str) -> dict[str, Any]:
    found: dict[str, Any] = scene.http.get(f"/v1/devices/{device}/messages", params=query).json()
    return found


def test_a_device_has_a_history_of_its_own(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    one = scene.add_device("ada", fcm_token("accepted", 1))
    other = scene.add_device("ada", fcm_token("gone", 2))
    scene.post("/v1/messages", {"to": {"people": ["ada"]}, "content": {"title": "A"}})
    scene.work()

    entries = device_history(scene, one)["data"] + device_history(scene, other)["data"]

    assert [(entry["device"], entry["state"]) for entry in entries] == [
        (one, "accepted"), (other, "gone"),
    ]  # fmt: skip
    assert entries[0]["title"] == "A"


def test_an_anonymous_device_has_a_history_in_pages(scene: Scene) -> None:
    device = scene.add_device(None, fcm_token("accepted", 1))
    to = {"to": {"devices": [device]}}
    first = scene.post("/v1/messages", {**to, "content": {"title": "A"}})
    scene.work()
    second = scene.post("/v1/messages", {**to, "content": {"title": "B"}})

    page = device_history(scene, device, limit="1")
    rest = device_history(scene, device, limit="1", cursor=page["next_cursor"])

    assert [(entry["message"], entry["state"]) for entry in page["data"] + rest["data"]] == [
        (second["id"], "pending"), (first["id"], "accepted"),
    ]  # fmt: skip
    assert rest["next_cursor"] is None
