"""The door of receipts: which device may speak of what, and what is wrong with a body."""

from typing import Any

import httpx2
import pytest

from core.ids import delivery_id
from delivery.sandbox.tokens import fcm_token
from tests.api.doors import AppDoors, Doors, phone, pointers, problem
from tests.api.ingest.events import results

_UNKNOWN = delivery_id("msg_nothing", 7)


def tell(app: AppDoors, device: dict[str, Any], body: Any, **headers: str) -> httpx2.Response:
    """Post as the phone does; an empty header is left out."""
    shown = {"Carillon-Device": device["id"], "Carillon-Device-Secret": device["secret"]}
    given = {**app.phone, **shown, **headers}
    given = {name: value for name, value in given.items() if value}
    return app.client.post("/v1/receipts", headers=given, json=body)


def receipt(delivery: str = _UNKNOWN, **fields: Any) -> dict[str, Any]:
    return {"delivery_id": delivery, "milestone": "opened", **fields}


def sent_to(doors: Doors, app: AppDoors, device: dict[str, Any]) -> str:
    """Have a push end as accepted at a device; return the id of the delivery."""
    message = {"to": {"devices": [device["id"]]}, "content": {"title": "Hello"}}
    made = app.client.post("/v1/messages", headers=app.server, json=message)
    made.raise_for_status()
    found = app.client.get(
        "/v1/deliveries", params={"message": made.json()["id"]}, headers=app.server
    )
    (one,) = found.json()["data"]
    # There is no credential here, so it was suppressed at once: say that it left.
    with doors.services.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE ledger SET state = 'accepted', reason = NULL, attempt = 1 WHERE app_id = %s",
            (app.inner_id,),
        )
    return str(one["id"])


def test_a_phone_speaks_of_what_was_sent_to_it_and_of_nothing_else(
    doors: Doors, app: AppDoors
) -> None:
    mine, other = app.register(), app.register()
    delivery, foreign = sent_to(doors, app, mine), sent_to(doors, app, other)

    assert tell(app, mine, receipt(delivery)).status_code == 201
    assert tell(app, mine, receipt(delivery)).status_code == 200
    problem(tell(app, mine, receipt(foreign)), 404, "delivery_not_found")
    batch = [receipt(foreign), receipt(delivery), receipt(delivery, milestone="confirmed")]
    found = results(tell(app, mine, {"receipts": batch}))
    assert [one["status"] for one in found] == ["rejected", "duplicate", "accepted"]
    assert found[0]["reason"] == "unknown_delivery"
    assert found[0]["errors"][0]["pointer"] == "/receipts/0/delivery_id"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Carillon-Device-Secret": ""}, 409, "device_secret_missing"),
        ({"Carillon-Device-Secret": "ds_wrong"}, 403, "device_secret_invalid"),
        ({"Carillon-Device": ""}, 403, "forbidden_scope"),
        ({"Carillon-Device": "dev_nobody"}, 404, "not_found"),
        ({"Carillon-Device": "x" * 65}, 404, "not_found"),
        ({"Authorization": ""}, 401, "token_missing"),
    ],
)
def test_a_phone_shows_its_secret(
    doors: Doors, app: AppDoors, headers: dict[str, str], status: int, code: str
) -> None:
    device = app.register()
    delivery = sent_to(doors, app, device)

    problem(tell(app, device, receipt(delivery), **headers), status, code)


def test_another_app_knows_nothing_of_it(doors: Doors, app: AppDoors) -> None:
    other = doors.new_app()
    device = other.register()
    delivery = sent_to(doors, other, device)

    for headers in (app.server, app.admin):
        answer = app.client.post("/v1/receipts", headers=headers, json=receipt(delivery))
        problem(answer, 404, "delivery_not_found")
    problem(tell(app, device, receipt(delivery)), 404, "not_found")
    answer = other.client.post("/v1/receipts", headers=other.server, json=receipt(delivery))
    assert answer.status_code == 201


@pytest.mark.parametrize("scope", ["messages:send", "messages:read", "events:write", "stats:read"])
def test_a_server_needs_the_scope_of_devices(doors: Doors, app: AppDoors, scope: str) -> None:
    key = doors.new_key(app.inner_id, "server", [scope])

    answer = app.client.post("/v1/receipts", headers=key, json=receipt())

    problem(answer, 403, "forbidden_scope")
    answer = app.client.post("/v1/receipts", headers=app.server, json=receipt())
    problem(answer, 404, "delivery_not_found")


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, {"/delivery_id": "missing", "/milestone": "missing"}),
        (receipt(""), {"/delivery_id": "too_short"}),
        (receipt("x"), {"/delivery_id": "invalid_value"}),
        (receipt("\0" * 36), {"/delivery_id": "invalid_value"}),
        ({**receipt(), "delivery_id": 7}, {"/delivery_id": "wrong_type"}),
        (receipt(milestone="converted"), {"/milestone": "invalid_value"}),
        (receipt(milestone=None), {"/milestone": "wrong_type"}),
        (receipt(at="yesterday"), {"/at": "invalid_value"}),
        (receipt(at=None), {"/at": "wrong_type"}),
        (receipt(at="9999-12-31T23:59:59Z"), {"/at": "invalid_value"}),
        (receipt(sent_at="now"), {"/sent_at": "invalid_value"}),
        (receipt(action="buy"), {"/action": "unknown_field"}),
        ({"receipts": []}, {"/receipts": "too_short"}),
        ({"receipts": [receipt()] * 1_001}, {"/receipts": "too_long"}),
        ({"receipts": {}}, {"/receipts": "wrong_type"}),
        ({"receipts": [receipt()], "milestone": "opened"}, {"/milestone": "unknown_field"}),
    ],
)
def test_a_fault_is_pointed_at(app: AppDoors, body: Any, places: dict[str, str]) -> None:
    answer = app.client.post("/v1/receipts", headers=app.server, json=body)

    assert pointers(problem(answer, 422, "invalid_payload")) == places


def test_a_bad_receipt_fails_no_other(doors: Doors, app: AppDoors) -> None:
    device = app.register()
    good = sent_to(doors, app, device)
    broken = '{"delivery_id": 1e999999, "milestone": "opened"}'
    body = f'{{"receipts": [{broken}, [], {{"a":}}, {_json(good)}, {_json(_UNKNOWN)}]}}'
    headers = {**app.server, "Content-Type": "application/json"}

    answer = app.client.post("/v1/receipts", headers=headers, content=body.encode())

    found = results(answer)
    assert [one["status"] for one in found] == [
        "rejected", "rejected", "rejected", "accepted", "rejected",
    ]  # fmt: skip
    assert [one["reason"] for one in found] == [
        "wrong_type", "wrong_type", "malformed_json", None, "unknown_delivery",
    ]  # fmt: skip


def _json(delivery: str) -> str:
    return f'{{"delivery_id": "{delivery}", "milestone": "confirmed"}}'


def test_both_milestones_of_one_push_may_come_together(doors: Doors, app: AppDoors) -> None:
    device = app.register()
    delivery = sent_to(doors, app, device)
    batch = [
        receipt(delivery),
        receipt(delivery, milestone="confirmed"),
        receipt(delivery, milestone="confirmed"),
        receipt(delivery),
    ]

    found = results(tell(app, device, {"receipts": batch}))

    assert [one["status"] for one in found] == ["accepted", "accepted", "duplicate", "duplicate"]


def test_a_device_that_was_deleted_has_no_say(doors: Doors, app: AppDoors) -> None:
    body = {"devices": [{**phone(), "token": fcm_token("accepted", 77)}]}
    app.client.post("/v1/devices/batch", headers=app.server, json=body).raise_for_status()
    device = app.register()
    delivery = sent_to(doors, app, device)
    app.client.delete(f"/v1/devices/{device['id']}", headers=app.server).raise_for_status()

    problem(tell(app, device, receipt(delivery)), 404, "not_found")
    # What happened stays true: a server may still tell it.
    answer = app.client.post("/v1/receipts", headers=app.server, json=receipt(delivery))
    assert answer.status_code == 201
