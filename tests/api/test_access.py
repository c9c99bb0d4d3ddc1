"""Who may come in: keys of all kinds, scopes, and apps that do not exist for each other."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from core.clock import utc_now
from core.ids import delivery_id
from tests.api.doors import AppDoors, Doors, bearer, phone, problem

DELIVERY = delivery_id("msg_nothing", 7)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi"])
def test_a_request_without_a_key_is_asked_for_one(doors: Doors, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = doors.client.get("/v1/people", headers=headers)

    problem(answer, 401, "token_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("key", ["ck_live_" + "x" * 43, "nonsense", "ca_é", "ck_live_" + "x" * 500])
def test_an_unknown_key_is_invalid(doors: Doors, key: str) -> None:
    headers = [(b"authorization", f"Bearer {key}".encode("latin-1"))]
    answer = doors.client.get("/v1/people", headers=headers)

    problem(answer, 401, "token_invalid")
    assert 'error="token_invalid"' in answer.headers["www-authenticate"]


def test_an_expired_key_says_so(doors: Doors, app: AppDoors) -> None:
    past = utc_now() - timedelta(seconds=1)
    key = doors.new_key(app.inner_id, "server", ["people:read"], expires_at=past)

    problem(doors.client.get("/v1/people", headers=key), 401, "token_expired")


def test_who_has_no_key_is_refused_before_the_body_is_read(doors: Doors) -> None:
    answer = doors.client.post("/v1/people/batch", content=b"x" * 10_000_000)

    problem(answer, 401, "token_missing")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/people", "people:read"),
        ("GET", "/v1/people/ada", "people:read"),
        ("PUT", "/v1/people/ada", "people:write"),
        ("POST", "/v1/people/batch", "people:write"),
        ("POST", "/v1/devices/batch", "devices:write"),
        ("GET", "/v1/messages", "messages:read"),
        ("POST", "/v1/messages", "messages:send"),
        ("GET", "/v1/deliveries", "messages:read"),
        ("GET", f"/v1/deliveries/{DELIVERY}/trace", "messages:read"),
        ("GET", "/v1/dead-letters", "messages:read"),
        ("POST", "/v1/dead-letters/replay", "messages:send"),
    ],
)
def test_a_key_without_the_scope_is_told_which_one_it_needs(
    doors: Doors, app: AppDoors, method: str, path: str, scope: str
) -> None:
    wrong = "devices:write" if scope != "devices:write" else "people:read"
    for key in (app.phone, doors.new_key(app.inner_id, "server", [wrong])):
        answer = doors.client.request(method, path, headers=key)

        assert f"`{scope}`" in problem(answer, 403, "forbidden_scope")["detail"]


def test_only_an_operator_makes_apps(doors: Doors, app: AppDoors) -> None:
    for key in (app.admin, app.server, app.phone):
        problem(
            doors.client.post("/v1/apps", headers=key, json={"name": "x"}), 403, "forbidden_scope"
        )


def test_the_scope_admin_covers_the_whole_app(doors: Doors, app: AppDoors) -> None:
    key = doors.new_key(app.inner_id, "server", ["admin"])

    for path in (app.path, f"{app.path}/keys", f"{app.path}/credentials", "/v1/people"):
        assert doors.client.get(path, headers=key).status_code == 200


def test_an_operator_without_an_app_must_name_one(doors: Doors, app: AppDoors) -> None:
    operator = doors.operator()

    problem(doors.client.get("/v1/people", headers=operator), 400, "app_required")
    named = {**operator, "Carillon-App": app.id}
    assert doors.client.get("/v1/people", headers=named).status_code == 200


def test_another_app_does_not_exist_for_a_bound_key(doors: Doors, app: AppDoors) -> None:
    other = doors.new_app()

    for key in (app.admin, app.server, app.phone):
        named = {**key, "Carillon-App": other.id}
        problem(doors.client.get("/v1/people", headers=named), 404, "not_found")
        problem(doors.client.get(other.path, headers=key), 404, "not_found")


@pytest.mark.parametrize("name", ["app_x", "app_" + "a" * 26, "nul%00", "x" * 300])
def test_an_app_nobody_made_is_not_found(doors: Doors, name: str) -> None:
    problem(doors.client.get(f"/v1/apps/{name}", headers=doors.operator()), 404, "not_found")


def test_every_id_of_another_app_is_not_found(doors: Doors, app: AppDoors) -> None:
    other = doors.new_app()
    device = other.register()
    key = doors.client.get(f"{other.path}/keys", headers=other.admin).json()["data"][0]["id"]
    other.add_person("ada")
    secret = {"Carillon-Device-Secret": device["secret"]}
    attempts = [
        ("GET", f"/v1/devices/{device['id']}", app.server, None),
        ("GET", f"/v1/devices/{device['id']}", {**app.phone, **secret}, None),
        ("PATCH", f"/v1/devices/{device['id']}", app.server, {}),
        ("POST", f"/v1/devices/{device['id']}/bind", app.server, {"person": "ada"}),
        ("POST", f"/v1/devices/{device['id']}/unbind", app.server, None),
        ("DELETE", f"/v1/devices/{device['id']}", app.server, None),
        ("GET", "/v1/people/ada", app.server, None),
        ("POST", f"{app.path}/keys/{key}/rotate", app.admin, {}),
        ("DELETE", f"{app.path}/keys/{key}", app.admin, None),
        ("GET", f"{other.path}/keys", app.admin, None),
        ("POST", f"{other.path}/keys", app.admin, {"kind": "client", "name": "x"}),
        ("GET", f"{other.path}/credentials", app.admin, None),
    ]

    for method, path, headers, body in attempts:
        problem(doors.client.request(method, path, headers=headers, json=body), 404, "not_found")
    assert doors.client.get(f"/v1/devices/{device['id']}", headers=other.server).is_success


def test_the_use_of_a_key_is_noted_once_a_minute(doors: Doors, app: AppDoors) -> None:
    def last_used() -> object:
        statement = text(
            "SELECT last_used_at, xmin FROM api_key WHERE app_id = :app_id AND kind = 'server'"
        )
        with doors.services.engine.connect() as connection:
            return tuple(connection.execute(statement, {"app_id": app.inner_id}).one())

    doors.client.get("/v1/people", headers=app.server)
    first = last_used()
    doors.client.get("/v1/people", headers=app.server)

    assert first == last_used()
    assert first != (None, None)


def test_a_client_key_registers_devices_only(doors: Doors, app: AppDoors) -> None:
    assert app.register()["person"] is None
    problem(
        doors.client.post("/v1/devices/batch", headers=app.phone, json={"devices": [phone()]}),
        403,
        "forbidden_scope",
    )


def test_a_revoked_key_is_dead_at_once(doors: Doors, app: AppDoors) -> None:
    body = {"kind": "server", "name": "x", "scopes": ["people:read"]}
    made = doors.client.post(f"{app.path}/keys", headers=app.admin, json=body).json()
    key = bearer(made["secret"])
    assert doors.client.get("/v1/people", headers=key).is_success

    answer = doors.client.delete(f"{app.path}/keys/{made['id']}", headers=app.admin)

    assert answer.status_code == 204
    problem(doors.client.get("/v1/people", headers=key), 401, "token_invalid")
