"""Bad input at real routes: always a problem with its place, never a 5xx, nothing written."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from starlette.types import Message

from tests.api.doors import AppDoors, Doors, phone, pointers, problem
from tests.api.village import apns_key
from tests.fixtures.loops import run_apart

_JSON = {"Content-Type": "application/json"}


def _post(app: AppDoors, body: bytes, **headers: str) -> httpx2.Response:
    return app.client.post(
        "/v1/people/batch", headers={**app.server, **_JSON, **headers}, content=body
    )


def test_a_path_nobody_serves_is_a_problem(doors: Doors) -> None:
    problem(doors.client.get("/v2/nothing"), 404, "no_such_route")


def test_a_method_a_path_lacks_names_those_it_has(doors: Doors) -> None:
    answer = doors.client.delete("/healthz")

    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_malformed_json_says_where(app: AppDoors) -> None:
    document = problem(_post(app, b'{"people": [}'), 400, "malformed_json")

    assert "column 13" in document["detail"]


def test_invalid_utf8_is_malformed(app: AppDoors) -> None:
    problem(_post(app, b'{"people": ["\xff"]}'), 400, "malformed_json")


def test_a_body_of_another_type_is_refused(app: AppDoors) -> None:
    answer = _post(app, b"people=1", **{"Content-Type": "application/x-www-form-urlencoded"})

    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip"])
def test_a_body_in_an_unknown_encoding_is_refused(app: AppDoors, encoding: str) -> None:
    answer = _post(app, b"\x1f\x8b", **{"Content-Encoding": encoding})

    assert "gzip" in problem(answer, 415, "unsupported_media_type")["detail"]


def test_an_empty_body_is_missing(app: AppDoors) -> None:
    document = problem(_post(app, b""), 422, "invalid_payload")

    assert pointers(document) == {"": "missing"}


@pytest.mark.parametrize("body", [b"[]", b"3", b'"text"', b"null", b"true"])
def test_a_body_that_is_no_object_is_refused(app: AppDoors, body: bytes) -> None:
    document = problem(_post(app, body), 422, "invalid_payload")

    assert list(pointers(document)) == [""]


def test_a_body_over_the_limit_is_refused_by_its_length(doors: Doors, app: AppDoors) -> None:
    limit = doors.services.settings.max_body_bytes
    answer = _post(app, b'{"people": ["' + b"x" * limit + b'"]}')

    document = problem(answer, 413, "body_too_large")
    assert str(limit) in document["detail"]


def test_an_endless_body_without_a_length_is_cut_off(doors: Doors, app: AppDoors) -> None:
    limit = doors.services.settings.max_body_bytes
    taken = 0
    answers: list[Message] = []

    async def receive() -> Message:
        nonlocal taken
        taken += 100_000
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/people/batch",
        "raw_path": b"/v1/people/batch",
        "query_string": b"",
        "headers": [
            (b"content-type", b"application/json"),
            (b"authorization", app.server["Authorization"].encode()),
        ],
    }

    async def serve() -> None:
        await doors.client.app(scope, receive, send)

    run_apart(serve())

    assert answers[0]["status"] == 413
    assert taken <= limit + 100_000


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30])
def test_a_strange_length_is_refused(app: AppDoors, length: str) -> None:
    answer = _post(app, b"{}", **{"Content-Length": length})

    assert answer.status_code in {400, 413}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"extra": 1}, {"/extra": "unknown_field"}),
        ({"installation_id": 5}, {"/installation_id": "wrong_type"}),
        ({"installation_id": "a b c d e"}, {"/installation_id": "invalid_value"}),
        ({"installation_id": "x"}, {"/installation_id": "too_short"}),
        ({"installation_id": "x" * 256}, {"/installation_id": "too_long"}),
        ({"provider": "sms"}, {"/provider": "invalid_value"}),
        ({"platform": "symbian"}, {"/platform": "invalid_value"}),
        ({"permission": "maybe"}, {"/permission": "invalid_value"}),
        ({"locale": "not a locale"}, {"/locale": "invalid_value"}),
        ({"time_zone": "Mars/Olympus"}, {"/time_zone": "invalid_value"}),
        ({"last_seen_at": "yesterday"}, {"/last_seen_at": "invalid_value"}),
        ({"last_seen_at": 1_700_000_000}, {"/last_seen_at": "invalid_value"}),
        ({"last_seen_at": "2026-02-30T00:00:00Z"}, {"/last_seen_at": "invalid_value"}),
        ({"last_seen_at": "9999-12-31T23:59:59-23:59"}, {"/last_seen_at": "invalid_value"}),
        ({"token": "with space"}, {"/token": "malformed_token"}),
        ({"token": "x" * 4_097}, {"/token": "too_long"}),
        ({"token": None}, {"/token": "missing"}),
        ({"fid": "d" * 22}, {"/fid": "invalid_value"}),
        ({"kind": "alert"}, {"/kind": "invalid_value"}),
        ({"kind": "fid"}, {"/kind": "invalid_value"}),
        ({"environment": "production"}, {"/environment": "invalid_value"}),
        ({"topic": "com.example"}, {"/topic": "invalid_value"}),
        ({"provider": "apns", "token": "zz" * 32}, {"/token": "malformed_token"}),
        ({"provider": "apns", "token": "a" * 63}, {"/token": "malformed_token"}),
        ({"provider": "apns", "token": "ab" * 201}, {"/token": "malformed_token"}),
        ({"person": "nobody-knows"}, {"/person": "unknown_person"}),
        ({"person": "bell\x07"}, {"/person": "invalid_value"}),
        ({"signature": "short"}, {"/signature": "invalid_value"}),
    ],
)
def test_a_bad_field_of_a_device_is_named_and_nothing_is_written(
    doors: Doors, app: AppDoors, change: dict[str, Any], faults: dict[str, str]
) -> None:
    answer = app.client.post("/v1/devices", headers=app.server, json=phone(**change))

    assert pointers(problem(answer, 422, "invalid_payload")) == faults
    assert _count(doors, app, "device") == 0


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"external_id": "x"}, {"/external_id": "unknown_field"}),
        ({"country": "XX"}, {"/country": "invalid_value"}),
        ({"country": "DEU"}, {"/country": "too_long"}),
        ({"attributes": []}, {"/attributes": "wrong_type"}),
        ({"attributes": {"": 1}}, {"/attributes/": "too_short"}),
        ({"attributes": {"note": "x" * 32_768}}, {"/attributes": "too_long"}),
        ({"attributes": {"a": {"b": "\0"}}}, {"/attributes/a/b": "nul_character"}),
        ({"attributes": {"n": 2**63}}, {"/attributes/n": "number_out_of_range"}),
    ],
)
def test_a_bad_field_of_a_person_is_named_and_nothing_is_written(
    doors: Doors, app: AppDoors, change: dict[str, Any], faults: dict[str, str]
) -> None:
    answer = app.client.put("/v1/people/ada", headers=app.server, json=change)

    assert pointers(problem(answer, 422, "invalid_payload")) == faults
    assert _count(doors, app, "person") == 0


@pytest.mark.parametrize("name", ["%00", "a%00b", "line%0Abreak", "x" * 256, "%7F"])
def test_a_bad_id_in_the_path_is_a_problem(app: AppDoors, name: str) -> None:
    for answer in (
        app.client.get(f"/v1/people/{name}", headers=app.server),
        app.client.put(f"/v1/people/{name}", headers=app.server, json={}),
        app.client.get(f"/v1/devices/{name}", headers=app.server),
    ):
        assert answer.status_code in {404, 422}, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("limit=0", {"query:limit": "out_of_range"}),
        ("limit=201", {"query:limit": "out_of_range"}),
        ("limit=many", {"query:limit": "invalid_value"}),
        ("cursor=guess", {"query:cursor": "invalid_value"}),
        ("cursor=%00", {"query:cursor": "nul_character"}),
        ("cursor=AAAAAAAAAAAAAAAA", {"query:cursor": "invalid_value"}),
        ("cursor=%C3%A9", {"query:cursor": "invalid_value"}),
    ],
)
def test_a_bad_query_is_named(app: AppDoors, query: str, faults: dict[str, str]) -> None:
    answer = app.client.get(f"/v1/people?{query}", headers=app.server)

    assert pointers(problem(answer, 422, "invalid_payload")) == faults


def test_a_misspelt_parameter_is_named_and_not_passed_over(app: AppDoors) -> None:
    document = problem(
        app.client.get("/v1/people?limt=5&limit=5", headers=app.server), 422, "invalid_payload"
    )

    assert pointers(document) == {"query:limt": "unknown_field"}
    assert "cursor, limit" in document["errors"][0]["message"]


def test_a_parameter_that_comes_twice_is_refused(app: AppDoors) -> None:
    query = "limit=5&cursor=a&limit=5&limit=9"
    document = problem(app.client.get(f"/v1/people?{query}", headers=app.server), 422,
                       "invalid_payload")  # fmt: skip

    assert pointers(document) == {"query:limit": "repeated"}
    assert document["errors"][0]["message"] == "It is given 3 times; give it once."


def test_no_door_takes_a_parameter_twice(app: AppDoors) -> None:
    found = list(parameters(app))

    assert len(found) >= 20
    for method, path, name in found:
        query = f"{name}=5&{name}=5"
        answer = app.client.request(method, f"{path}?{query}", headers=app.admin)
        faults = pointers(problem(answer, 422, "invalid_payload"))
        assert faults == {f"query:{name}": "repeated"}, (method, path)


def parameters(app: AppDoors) -> Iterator[tuple[str, str, str]]:
    """Return method, path and name of each query parameter that is described and is no list."""
    described = app.client.get("/openapi.json").json()["paths"]
    for path, methods in described.items():
        for method, operation in methods.items():
            for one in operation.get("parameters", ()):
                if one["in"] == "query" and "array" not in str(one["schema"]):
                    filled = path.replace("{app_id}", app.id)
                    yield method, re.sub("{[^}]*}", "x", filled), one["name"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/deliveries?message=%00",
        "/v1/deliveries?token=a%00b",
        "/v1/dead-letters?reason=%00",
        "/v1/dead-letters?message=msg_%00",
    ],
)
def test_a_query_that_no_store_could_be_asked_is_refused(app: AppDoors, path: str) -> None:
    document = problem(app.client.get(path, headers=app.server), 422, "invalid_payload")

    assert set(pointers(document).values()) == {"nul_character"}


@pytest.mark.parametrize(("quota", "status"), [(60.0, 200), (6e7, 200), (60.5, 422), (0.0, 422)])
def test_a_whole_number_may_be_written_with_a_point(
    app: AppDoors, quota: float, status: int
) -> None:
    made = app.client.post(f"{app.path}/credentials", headers=app.admin, json=apns_key()).json()

    answer = app.client.patch(
        f"{app.path}/credentials/{made['id']}",
        headers=app.admin,
        json={"quota_per_minute": quota},
    )

    assert answer.status_code == status


def _count(doors: Doors, app: AppDoors, table: str) -> int:
    statement = text(f"SELECT count(*) FROM {table} WHERE app_id = :app_id")
    with doors.services.engine.connect() as connection:
        return int(connection.scalar(statement, {"app_id": app.inner_id}) or 0)
