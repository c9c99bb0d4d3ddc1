"""The doors that find devices: by person, by token, and what they were sent."""

from typing import Any

import pytest

from tests.api.doors import AppDoors, Doors, problem

HEX = "0F" * 32


def find(app: AppDoors, token: str, headers: dict[str, str] | None = None) -> Any:
    return app.client.post(
        "/v1/devices/lookup", headers=headers or app.server, json={"token": token}
    )


def bind(app: AppDoors, person: str) -> str:
    device = str(app.register()["id"])
    app.client.post(f"/v1/devices/{device}/bind", headers=app.server, json={"person": person})
    return device


def test_the_devices_of_a_person_come_in_pages(app: AppDoors) -> None:
    app.add_person("team/ada")
    made = [bind(app, "team/ada") for _ in range(3)]

    first = app.client.get(
        "/v1/devices", headers=app.server, params={"person": "team/ada", "limit": 2}
    ).json()
    second = app.client.get(
        "/v1/devices",
        headers=app.server,
        params={"person": "team/ada", "limit": 2, "cursor": first["next_cursor"]},
    ).json()

    assert [one["id"] for one in first["data"] + second["data"]] == made
    assert second["next_cursor"] is None
    assert "token" not in first["data"][0]["targets"][0]


def test_nobody_has_no_devices(app: AppDoors) -> None:
    answer = app.client.get("/v1/devices", headers=app.server, params={"person": "nobody"})

    problem(answer, 404, "not_found")


def test_a_token_leads_to_its_device_in_any_case_of_hex(app: AppDoors) -> None:
    made = app.register(
        provider="apns", token=HEX, platform="ios", environment="production", kind="alert"
    )

    assert find(app, HEX).json()["id"] == made["id"]
    assert find(app, HEX.lower()).json()["id"] == made["id"]
    problem(find(app, "1F" * 32), 404, "not_found")


def test_a_token_of_another_app_is_not_found(app: AppDoors, doors: Doors) -> None:
    doors.new_app("Other").register(token="d:of-another-app")

    problem(find(app, "d:of-another-app"), 404, "not_found")


@pytest.mark.parametrize("route", ["", "/lookup"])
def test_a_public_key_finds_nobody(app: AppDoors, route: str) -> None:
    if route:
        answer = find(app, "d:any", app.phone)
    else:
        answer = app.client.get("/v1/devices", headers=app.phone, params={"person": "ada"})

    problem(answer, 403, "forbidden_scope")


def test_the_history_of_an_unknown_device_is_not_found(app: AppDoors) -> None:
    answer = app.client.get("/v1/devices/dev_nothing/messages", headers=app.server)

    problem(answer, 404, "not_found")
    problem(
        app.client.get("/v1/devices/dev_nothing/messages", headers=app.phone),
        403,
        "forbidden_scope",
    )
