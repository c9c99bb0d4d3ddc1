"""The doors of deliveries and dead letters: who may, what is refused, what others can not see."""

from collections.abc import Mapping
from typing import Any

import pytest

from core.ids import delivery_id
from delivery.sandbox.tokens import fcm_token
from tests.api.doors import AppDoors, Doors, phone, pointers, problem

_NOBODY = delivery_id("msg_nothing", 7)


def ask(app: AppDoors, **query: str) -> Any:
    return app.client.get("/v1/deliveries", params=query, headers=app.server)


def sent(app: AppDoors, token: str) -> Mapping[str, Any]:
    """Send to a device of Ada, and return the delivery."""
    app.add_person("ada")
    body = {"devices": [{**phone(), "token": token, "person": "ada"}]}
    app.client.post("/v1/devices/batch", headers=app.server, json=body).raise_for_status()
    message = {"to": {"people": ["ada"]}, "content": {"title": "Hello"}}
    app.client.post("/v1/messages", headers=app.server, json=message).raise_for_status()
    (found,) = ask(app, person="ada").json()["data"]
    return dict(found)


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({}, {"query:message"}),
        ({"person": "ada", "message": "msg_1"}, {"query:person", "query:message"}),
        ({"person": "ada", "token": "t"}, {"query:person", "query:token"}),
        ({"person": "ada", "limit": "0"}, {"query:limit"}),
        ({"person": "ada", "limit": "201"}, {"query:limit"}),
        ({"person": "ada", "cursor": "x"}, {"query:cursor"}),
        ({"person": "ada", "cursor": "open-1-1"}, {"query:cursor"}),
        ({"device": "dev_1"}, {"query:device"}),
        ({"token": ""}, {"query:token"}),
    ],
)
def test_exactly_one_filter_is_given(
    app: AppDoors, query: dict[str, str], places: set[str]
) -> None:
    app.add_person("ada")

    assert set(pointers(problem(ask(app, **query), 422, "invalid_payload"))) == places


def test_the_cursor_of_another_list_is_refused(app: AppDoors) -> None:
    message = sent(app, fcm_token("accepted", 1))["message"]

    document = problem(ask(app, message=message, cursor="1-1"), 422, "invalid_payload")

    assert pointers(document) == {"query:cursor": "invalid_value"}


def test_what_another_app_sent_does_not_exist(doors: Doors, app: AppDoors) -> None:
    other, token = doors.new_app(), fcm_token("accepted", 2)
    delivery = sent(other, token)

    problem(ask(app, token=token), 404, "not_found")
    problem(ask(app, person="ada"), 404, "not_found")
    problem(ask(app, message=delivery["message"]), 404, "message_not_found")
    path = f"/v1/deliveries/{delivery['id']}/trace"
    problem(app.client.get(path, headers=app.server), 404, "delivery_not_found")
    assert other.client.get(path, headers=other.server).json()["person"] == "ada"
    replay = {"message": delivery["message"]}
    answer = app.client.post("/v1/dead-letters/replay", headers=app.server, json=replay)
    problem(answer, 404, "message_not_found")
    query = {"message": delivery["message"]}
    answer = app.client.get("/v1/dead-letters", params=query, headers=app.server)
    problem(answer, 404, "message_not_found")
    assert app.client.get("/v1/dead-letters", headers=app.server).json()["data"] == []


def test_a_neighbour_in_the_same_message_is_not_made_up(app: AppDoors) -> None:
    delivery = sent(app, fcm_token("accepted", 3))
    guess = delivery_id(delivery["message"], 2**40)

    answer = app.client.get(f"/v1/deliveries/{guess}/trace", headers=app.server)

    problem(answer, 404, "delivery_not_found")


@pytest.mark.parametrize("wrong", [_NOBODY, "x" * 36, "-" * 36])
def test_an_id_nobody_has_is_not_found(app: AppDoors, wrong: str) -> None:
    answer = app.client.get(f"/v1/deliveries/{wrong}/trace", headers=app.server)

    problem(answer, 404, "delivery_not_found")


_READ = ("messages:read", "admin")
_CELLS = [
    ("GET", "/v1/deliveries?person=ada", _READ),
    ("GET", f"/v1/deliveries/{_NOBODY}/trace", _READ),
    ("GET", "/v1/dead-letters", _READ),
    ("POST", "/v1/dead-letters/replay", ("messages:send", "admin")),
]
_SCOPES = (
    "messages:send", "messages:read", "devices:write", "people:read", "people:write",
    "events:write", "segments:write", "campaigns:write", "stats:read", "admin",
)  # fmt: skip


@pytest.mark.parametrize("scope", _SCOPES)
def test_each_scope_opens_its_doors_and_no_other(doors: Doors, app: AppDoors, scope: str) -> None:
    app.add_person("ada")
    key = doors.new_key(app.inner_id, "server", [scope])

    for method, path, scopes in _CELLS:
        body = {"message": "msg_nothing"} if method == "POST" else None
        answer = doors.client.request(method, path, headers=key, json=body)

        assert (answer.status_code == 403) is (scope not in scopes), (method, path)
        assert answer.status_code < 500


def test_phones_and_strangers_see_nothing(doors: Doors, app: AppDoors) -> None:
    for method, path, _ in _CELLS:
        problem(doors.client.request(method, path, headers=app.phone), 403, "forbidden_scope")
        problem(doors.client.request(method, path), 401, "token_missing")
