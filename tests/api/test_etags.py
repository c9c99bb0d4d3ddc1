"""ETags: 304 to a reader that has it already, 412 to a writer that missed a change."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import httpx2
import pytest

from core.clock import utc_now
from tests.api.doors import AppDoors, Doors, problem
from tests.api.village import found


def _person(app: AppDoors, _: Doors) -> tuple[str, str, dict[str, Any]]:
    app.add_person("ada")
    return "/v1/people/ada", "PUT", {"locale": "en-GB"}


def _device(app: AppDoors, _: Doors) -> tuple[str, str, dict[str, Any]]:
    return f"/v1/devices/{app.register()['id']}", "PATCH", {"model": "Pixel 9"}


def _message(app: AppDoors, _: Doors) -> tuple[str, str, dict[str, Any]]:
    app.add_person("ada")
    later = (utc_now() + timedelta(days=1)).isoformat()
    body = {"to": {"all": True}, "content": {"title": "Later"}, "send_at": later}
    sent = app.client.post("/v1/messages", headers=app.server, json=body)
    return f"/v1/messages/{sent.json()['id']}", "PATCH", {"rate_per_second": 5.0}


def _credential(_: AppDoors, doors: Doors) -> tuple[str, str, dict[str, Any]]:
    village = found(doors)
    return f"{village.app.path}/credentials/{village.credential()}", "PATCH", {"name": "Other"}


_Make = Callable[[AppDoors, Doors], tuple[str, str, dict[str, Any]]]
_ALL = pytest.mark.parametrize("make", [_person, _device, _message, _credential])


@pytest.fixture
def key(doors: Doors) -> dict[str, str]:
    """The key of an operator, who reaches every app."""
    return doors.operator()


def _headers(app: AppDoors, key: dict[str, str], path: str) -> dict[str, str]:
    return key if path.startswith("/v1/apps/") else {**key, "Carillon-App": app.id}


@_ALL
def test_a_reader_that_has_it_already_gets_no_body(
    doors: Doors, app: AppDoors, key: dict[str, str], make: _Make
) -> None:
    path, method, body = make(app, doors)
    headers = _headers(app, key, path)
    first = app.client.get(path, headers=headers)
    tag = first.headers["etag"]

    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = app.client.get(path, headers={**headers, "If-None-Match": condition})
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == tag
    app.client.request(method, path, headers=headers, json=body)
    changed = app.client.get(path, headers={**headers, "If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@_ALL
def test_a_writer_that_missed_a_change_is_refused(
    doors: Doors, app: AppDoors, key: dict[str, str], make: _Make
) -> None:
    path, method, body = make(app, doors)
    headers = _headers(app, key, path)
    tag = app.client.get(path, headers=headers).headers["etag"]

    def change(condition: str) -> httpx2.Response:
        return app.client.request(
            method, path, headers={**headers, "If-Match": condition}, json=body
        )

    changed = change(tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] == app.client.get(path, headers=headers).headers["etag"]
    problem(change(tag), 412, "precondition_failed")
    assert change(changed.headers["etag"]).status_code == 200
    assert change("*").status_code == 200


def test_of_two_writers_with_one_tag_one_wins(app: AppDoors) -> None:
    app.add_person("ada")
    tag = app.client.get("/v1/people/ada", headers=app.server).headers["etag"]
    start = Barrier(8)

    def write(number: int) -> int:
        start.wait(timeout=30)
        headers = {**app.server, "If-Match": tag}
        body = {"attributes": {"number": number}}
        return app.client.put("/v1/people/ada", headers=headers, json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(write, range(8)))

    assert statuses == [200] + [412] * 7


def test_nobody_is_made_under_a_condition(app: AppDoors) -> None:
    headers = {**app.server, "If-Match": "*"}

    put = app.client.put("/v1/people/nobody", headers=headers, json={})

    problem(put, 412, "precondition_failed")
    assert app.client.get("/v1/people/nobody", headers=app.server).status_code == 404
