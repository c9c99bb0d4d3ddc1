"""Messages to segments: cut by sets, from those who are in them at that moment."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from campaigns import audience
from campaigns.sending import cut_next_due
from core.clock import utc_now
from tests.api.doors import AppDoors, Doors, pointers, problem
from tests.api.test_messages import CONTENT, send
from tests.api.test_segments import make


def _cut(doors: Doors) -> None:
    while cut_next_due(doors.services.engine, 1_000):
        pass


def _read(app: AppDoors, message: str) -> Any:
    return app.client.get(f"/v1/messages/{message}", headers=app.server).json()


def _people(app: AppDoors, message: str) -> set[str]:
    path = f"/v1/messages/{message}/deliveries"
    return {one["person"] for one in app.client.get(path, headers=app.server).json()["data"]}


@pytest.fixture
def shop(app: AppDoors) -> AppDoors:
    """An app with five people, three of whom pay."""
    for name, plan in (("ada", "gold"), ("bob", "gold"), ("cyd", "gold"), ("dan", "x"), ("eve", 1)):
        app.add_person(name, attributes={"plan": plan})
    return app


def test_a_message_reaches_who_is_in_the_segment_when_it_is_cut(
    shop: AppDoors, doors: Doors
) -> None:
    sent = send(shop, to={"segment": make(shop)["id"]}).json()
    shop.add_person("dan", attributes={"plan": "gold"})
    shop.add_person("ada", attributes={"plan": "free"})
    _cut(doors)

    assert (sent["state"], sent["targeted"]) == ("scheduled", None)
    assert _read(shop, sent["id"])["targeted"] == 3
    assert _people(shop, sent["id"]) == {"bob", "cyd", "dan"}


@pytest.mark.parametrize(
    ("to", "left"),
    [
        ({"all": True}, {"cyd", "dan", "eve"}),
        ({"people": ["ada", "bob", "cyd"]}, {"cyd"}),
    ],
)
def test_who_is_excluded_gets_nothing(
    shop: AppDoors, doors: Doors, to: dict[str, Any], left: set[str]
) -> None:
    ada = {"type": "person", "field": "external_id", "operator": "equals", "value": "ada"}
    exclude = {"segment": make(shop, ada)["id"], "people": ["bob"]}
    sent = send(shop, to=to, exclude=exclude).json()
    _cut(doors)

    assert _people(shop, sent["id"]) == left


def test_a_segment_without_another_is_cut_by_sets(shop: AppDoors, doors: Doors) -> None:
    one = make(shop)["id"]
    starts = {"type": "person", "field": "external_id", "operator": "in", "value": ["ada", "dan"]}
    exclude = {"segment": make(shop, starts)["id"]}
    body = {"to": {"segment": one}, "exclude": exclude}
    path = "/v1/messages"
    counted = shop.client.post(f"{path}/count", headers=shop.server, json=body).json()
    forecast = shop.client.post(f"{path}/forecast", headers=shop.server, json=body).json()
    sent = send(shop, **body).json()
    _cut(doors)

    assert counted == {"recipients": 2, "sendable": 0, "suppressed": {"no_device": 2}}
    assert forecast["recipients"] == 2
    assert _people(shop, sent["id"]) == {"bob", "cyd"}


def test_the_devices_of_who_is_excluded_get_nothing_by_themselves(shop: AppDoors) -> None:
    # Registered without a person, and bound later.
    mine, other = shop.register()["id"], shop.register()["id"]
    shop.client.post(f"/v1/devices/{mine}/bind", headers=shop.server, json={"person": "ada"})
    body = {"to": {"devices": [mine, other]}, "exclude": {"people": ["ada"]}}
    counted = shop.client.post("/v1/messages/count", headers=shop.server, json=body)

    assert counted.json()["recipients"] == 1


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"to": {"segment": "seg_nothing"}}, "/to/segment", "unknown_segment"),
        ({"exclude": {"segment": "seg_nothing"}}, "/exclude/segment", "unknown_segment"),
        ({"exclude": {"people": ["ada", "nobody"]}}, "/exclude/people/1", "unknown_person"),
        ({"exclude": {}}, "/exclude", "invalid_value"),
        ({"exclude": {"people": None}}, "/exclude", "invalid_value"),
    ],
)
def test_what_does_not_exist_is_pointed_at(
    shop: AppDoors, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = send(shop, **fields)

    assert pointers(problem(answer, 422, "invalid_payload")) == {pointer: code}


def test_faults_of_who_is_meant_and_who_is_not_are_told_together(shop: AppDoors) -> None:
    answer = send(shop, to={"people": ["ada", "nobody"]}, exclude={"segment": "seg_nothing"})

    assert pointers(problem(answer, 422, "invalid_payload")) == {
        "/to/people/1": "unknown_person",
        "/exclude/segment": "unknown_segment",
    }


def test_a_segment_that_a_message_waits_for_is_not_deleted(shop: AppDoors) -> None:
    later = (utc_now() + timedelta(hours=1)).isoformat()
    segments = [make(shop)["id"] for _ in range(2)]
    fields = ({"to": {"segment": segments[0]}}, {"exclude": {"segment": segments[1]}})
    for segment, field in zip(segments, fields, strict=True):
        message = send(shop, send_at=later, **field).json()["id"]
        path = f"/v1/segments/{segment}"
        refused = shop.client.delete(path, headers=shop.server)
        cancelled = shop.client.post(f"/v1/messages/{message}/cancel", headers=shop.server)

        assert message in problem(refused, 409, "segment_in_use")["detail"]
        assert cancelled.is_success
        assert shop.client.delete(path, headers=shop.server).status_code == 204


@pytest.mark.parametrize("place", ["to", "exclude"])
def test_a_segment_is_not_deleted_while_a_message_to_it_is_accepted(
    shop: AppDoors, doors: Doors, place: str
) -> None:
    segment = make(shop)["id"]
    to = {"all": True, "exclude": {"segment": segment}} if place == "exclude" else {
        "segment": segment
    }  # fmt: skip
    path = f"/v1/segments/{segment}"
    with ThreadPoolExecutor(1) as others:
        with doors.services.engine.begin() as connection:
            # As a message does before it is stored.
            audience.resolve(connection, shop.inner_id, to)
            deleting = others.submit(shop.client.delete, path, headers=shop.server)
            time.sleep(0.3)
            waits = not deleting.done()
        deleted = deleting.result()

    assert (waits, deleted.status_code) == (True, 204)


def test_a_segment_that_vanished_fails_the_message_in_words(shop: AppDoors, doors: Doors) -> None:
    segment = make(shop)["id"]
    message = send(shop, to={"segment": segment}, content=CONTENT).json()["id"]
    with doors.services.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM segment WHERE public_id = %s", (segment,))
    _cut(doors)
    found = _read(shop, message)

    assert (found["state"], found["failed_reason"]) == (
        "failed",
        f"The app has no segment {segment}.",
    )
