"""Devices: registered by phones, bound by signature, their tokens replaced and moved."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from delivery.devices.identity import sign_identity
from tests.api.doors import AppDoors, Doors, open_doors, phone, pointers, problem, settings_for


def _with_secret(app: AppDoors, secret: str) -> dict[str, str]:
    return {**app.phone, "Carillon-Device-Secret": secret}


def _sign(app: AppDoors, person: str) -> str:
    return sign_identity(app.identity_secret.encode(), app.id, person)


def _read(app: AppDoors, device_id: str) -> dict[str, Any]:
    return dict(app.client.get(f"/v1/devices/{device_id}", headers=app.server).json())


def _tokens(doors: Doors, app: AppDoors) -> dict[str, str]:
    """Return the public id of the device of each token."""
    statement = text(
        "SELECT t.token, d.public_id FROM target t JOIN device d ON d.id = t.device_id "
        "WHERE t.app_id = :app_id"
    )
    with doors.services.engine.connect() as connection:
        return {
            row.token: row.public_id
            for row in connection.execute(statement, {"app_id": app.inner_id})
        }


def test_a_new_phone_gets_its_secret_once(doors: Doors, app: AppDoors) -> None:
    body = phone(model="Pixel 11", locale="en-GB", permission="granted")
    made = app.client.post("/v1/devices", headers=app.phone, json=body)

    device = made.json()
    assert made.status_code == 201
    assert device["secret"].startswith("ds_")
    assert device["model"] == "Pixel 11"
    assert device["last_seen_at"] is not None
    assert [target["kind"] for target in device["targets"]] == ["token"]
    assert body["token"] not in made.text
    read = app.client.get(
        f"/v1/devices/{device['id']}", headers=_with_secret(app, device["secret"])
    )
    assert read.json() == {key: value for key, value in device.items() if key != "secret"}


def test_a_known_installation_needs_its_secret_and_never_gets_a_second_one(app: AppDoors) -> None:
    body = phone()
    device = app.register(**body)

    problem(
        app.client.post("/v1/devices", headers=app.phone, json=body), 409, "device_secret_missing"
    )
    problem(
        app.client.post("/v1/devices", headers=_with_secret(app, "ds_guess"), json=body),
        403,
        "device_secret_invalid",
    )
    again = app.client.post(
        "/v1/devices", headers=_with_secret(app, device["secret"]), json={**body, "model": "New"}
    )
    assert again.status_code == 200
    assert again.json()["id"] == device["id"]
    assert again.json()["model"] == "New"
    assert "secret" not in again.json()


def test_the_routes_of_a_device_ask_for_its_secret(app: AppDoors) -> None:
    device = app.register()
    other = app.register()
    path = f"/v1/devices/{device['id']}"
    attempts: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("PATCH", path, {}),
        ("POST", f"{path}/bind", {"person": "ada", "signature": _sign(app, "ada")}),
        ("POST", f"{path}/unbind", None),
        ("DELETE", path, None),
    ]
    for method, address, body in attempts:
        bare = app.client.request(method, address, headers=app.phone, json=body)
        problem(bare, 409, "device_secret_missing")
        wrong = app.client.request(
            method, address, headers=_with_secret(app, other["secret"]), json=body
        )
        problem(wrong, 403, "device_secret_invalid")


def test_a_change_sets_what_is_given_and_null_clears(app: AppDoors) -> None:
    device = app.register(model="Old", app_version="1", permission="granted")

    changed = app.client.patch(
        f"/v1/devices/{device['id']}",
        headers=_with_secret(app, device["secret"]),
        json={"model": None, "permission": "denied"},
    ).json()

    assert (changed["model"], changed["app_version"], changed["permission"]) == (
        None,
        "1",
        "denied",
    )


def test_a_rotated_token_replaces_the_old_one(doors: Doors, app: AppDoors) -> None:
    device = app.register(token="old:token")
    answer = app.client.patch(
        f"/v1/devices/{device['id']}",
        headers=_with_secret(app, device["secret"]),
        json={"provider": "fcm", "token": "new:token"},
    )

    assert len(answer.json()["targets"]) == 1
    assert _tokens(doors, app) == {"new:token": device["id"]}


def test_a_token_without_its_provider_is_refused(app: AppDoors) -> None:
    device = app.register()
    answer = app.client.patch(
        f"/v1/devices/{device['id']}", headers=app.server, json={"token": "new:token"}
    )

    assert pointers(problem(answer, 422, "invalid_payload")) == {"/provider": "missing"}


def test_a_device_has_a_target_of_each_kind(app: AppDoors) -> None:
    device = app.register(provider="apns", token="ab" * 32, platform="ios")
    answer = app.client.patch(
        f"/v1/devices/{device['id']}",
        headers=app.server,
        json={"provider": "apns", "kind": "voip", "token": "cd" * 32},
    )

    assert [target["kind"] for target in answer.json()["targets"]] == ["alert", "voip"]


def test_a_token_that_appears_elsewhere_moves_and_its_old_device_keeps_its_person(
    doors: Doors, app: AppDoors
) -> None:
    app.add_person("ada")
    old = app.register(token="moving:token", person="ada", signature=_sign(app, "ada"))

    new = app.register(token="moving:token")

    assert _tokens(doors, app) == {"moving:token": new["id"]}
    assert _read(app, old["id"])["targets"] == []
    assert _read(app, old["id"])["person"] == "ada"
    assert _read(app, new["id"])["person"] is None


def test_the_same_token_in_two_apps_stays_apart(doors: Doors, app: AppDoors) -> None:
    other = doors.new_app()
    one, two = app.register(token="same:token"), other.register(token="same:token")

    assert _tokens(doors, app) == {"same:token": one["id"]}
    assert _tokens(doors, other) == {"same:token": two["id"]}


@pytest.mark.parametrize("state", ["suspect", "retired"])
def test_a_token_registered_again_is_alive_again(doors: Doors, app: AppDoors, state: str) -> None:
    body = phone()
    device = app.register(**body)
    before = device["targets"][0]["registered_at"]
    with doors.services.engine.begin() as connection:
        connection.execute(
            text("UPDATE target SET state = :state, state_reason = 'x' WHERE app_id = :app_id"),
            {"state": state, "app_id": app.inner_id},
        )

    app.client.post("/v1/devices", headers=_with_secret(app, device["secret"]), json=body)

    target = _read(app, device["id"])["targets"][0]
    assert (target["state"], target["state_reason"]) == ("active", None)
    assert target["registered_at"] > before


def test_an_upper_case_apns_token_is_the_same_token(doors: Doors, app: AppDoors) -> None:
    app.register(provider="apns", token="AB" * 32, platform="ios")
    device = app.register(provider="apns", token="ab" * 32, platform="ios")

    assert _tokens(doors, app) == {"ab" * 32: device["id"]}


def test_a_client_key_binds_only_with_the_right_signature(doors: Doors, app: AppDoors) -> None:
    app.add_person("ada")
    app.add_person("eve")
    device = app.register()
    path = f"/v1/devices/{device['id']}/bind"
    headers = _with_secret(app, device["secret"])
    other = doors.new_app()

    problem(app.client.post(path, headers=headers, json={"person": "ada"}), 403, "identity_missing")
    for signature in (_sign(app, "eve"), _sign(other, "ada"), "0" * 64):
        body = {"person": "ada", "signature": signature}
        problem(app.client.post(path, headers=headers, json=body), 403, "identity_invalid")
    problem(
        app.client.post("/v1/devices", headers=app.phone, json=phone(person="ada")),
        403,
        "identity_missing",
    )
    body = {"person": "ada", "signature": _sign(app, "ada")}
    assert app.client.post(path, headers=headers, json=body).json()["person"] == "ada"
    unbound = app.client.post(f"/v1/devices/{device['id']}/unbind", headers=headers)
    assert unbound.json()["person"] is None


def test_a_server_binds_without_a_signature(app: AppDoors) -> None:
    app.add_person("ada")
    device = app.register()

    bound = app.client.post(
        f"/v1/devices/{device['id']}/bind", headers=app.server, json={"person": "ada"}
    )

    assert bound.json()["person"] == "ada"


def test_a_deleted_device_is_gone_with_its_tokens(doors: Doors, app: AppDoors) -> None:
    device = app.register()
    path = f"/v1/devices/{device['id']}"
    headers = _with_secret(app, device["secret"])

    assert app.client.delete(path, headers=headers).status_code == 204

    problem(app.client.get(path, headers=headers), 404, "not_found")
    assert _tokens(doors, app) == {}


def test_staging_refuses_production_tokens(database_url: str, redis_url: str) -> None:
    settings = settings_for(database_url, redis_url, environment="staging")
    with open_doors(settings) as doors:
        app = doors.new_app()
        body = phone(provider="apns", token="ab" * 32, platform="ios")
        refused = app.client.post("/v1/devices", headers=app.phone, json=body)
        allowed = app.client.post(
            "/v1/devices", headers=app.phone, json={**body, "environment": "development"}
        )

    assert pointers(problem(refused, 422, "invalid_payload")) == {
        "/environment": "production_in_staging"
    }
    assert allowed.status_code == 201


def test_an_imported_device_is_claimed_by_its_phone_and_loses_its_person(app: AppDoors) -> None:
    app.add_person("ada")
    body = phone()
    batch = {"devices": [{**body, "person": "ada"}]}
    imported = app.client.post("/v1/devices/batch", headers=app.server, json=batch).json()

    claimed = app.client.post("/v1/devices", headers=app.phone, json=body)

    assert claimed.status_code == 201
    assert claimed.json()["id"] == imported["results"][0]["id"]
    assert claimed.json()["secret"]
    assert claimed.json()["person"] is None


def test_a_batch_answers_for_each_device_and_a_bad_one_fails_alone(
    doors: Doors, app: AppDoors
) -> None:
    app.add_person("ada")
    known = phone()
    app.register(**known)
    devices = [
        phone(person="ada", token="one:token"),
        {**known, "token": "two:token"},
        phone(token="not a token"),
        phone(person="nobody"),
        {"platform": "ios"},
        7,
    ]

    answer = app.client.post("/v1/devices/batch", headers=app.server, json={"devices": devices})

    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [201, 200, 422, 422, 422, 422]
    assert pointers(results[2]) == {"/devices/2/token": "malformed_token"}
    assert pointers(results[3]) == {"/devices/3/person": "unknown_person"}
    assert pointers(results[4])["/devices/4/provider"] == "missing"
    assert pointers(results[5]) == {"/devices/5": "wrong_type"}
    assert set(_tokens(doors, app)) == {"one:token", "two:token"}
    assert _read(app, results[0]["id"])["person"] == "ada"


def test_within_a_batch_the_last_word_counts(doors: Doors, app: AppDoors) -> None:
    a, b = phone(token="t:1", model="first"), phone(token="t:2")
    devices = [a, b, {**a, "token": "t:2", "model": "last"}, {**b, "token": "t:1"}]

    answer = app.client.post("/v1/devices/batch", headers=app.server, json={"devices": devices})

    results = answer.json()["results"]
    assert results[0]["id"] == results[2]["id"]
    assert _tokens(doors, app) == {"t:2": results[0]["id"], "t:1": results[1]["id"]}
    assert _read(app, results[0]["id"])["model"] == "last"


def test_twenty_phones_with_one_token_at_once_leave_one_owner(doors: Doors, app: AppDoors) -> None:
    start = Barrier(20)

    def register(_: int) -> httpx2.Response:
        start.wait(timeout=30)
        return app.client.post("/v1/devices", headers=app.phone, json=phone(token="rush:token"))

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(register, range(20)))

    assert {answer.status_code for answer in answers} == {201}
    assert _tokens(doors, app)["rush:token"] in {answer.json()["id"] for answer in answers}


def test_one_installation_twenty_times_at_once_gets_one_secret(app: AppDoors) -> None:
    start = Barrier(20)
    body = phone()

    def register(_: int) -> httpx2.Response:
        start.wait(timeout=30)
        return app.client.post("/v1/devices", headers=app.phone, json=body)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(register, range(20)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


def test_batches_that_swap_tokens_back_and_forth_never_fail(doors: Doors, app: AppDoors) -> None:
    phones = [phone(token=f"swap:{number}") for number in range(40)]

    def swap(shift: int) -> httpx2.Response:
        tokens = [one["token"] for one in phones[shift:] + phones[:shift]]
        order = range(len(phones)) if shift % 2 else reversed(range(len(phones)))
        devices = [{**phones[index], "token": tokens[index]} for index in order]
        return app.client.post("/v1/devices/batch", headers=app.server, json={"devices": devices})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(swap, range(24)))

    assert {answer.json()["failed"] for answer in answers} == {0}
    owners = _tokens(doors, app)
    assert len(owners) == len(set(owners.values())) == 40
