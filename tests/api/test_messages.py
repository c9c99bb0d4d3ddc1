"""The doors of messages: what is accepted, what is refused and where, and who may."""

from typing import Any

import pytest
from sqlalchemy import text

from delivery.sandbox.tokens import apns_token, fcm_token
from tests.api.doors import AppDoors, Doors, pointers, problem

CONTENT = {"title": "Hello"}


def send(app: AppDoors, **fields: Any) -> Any:
    body = {"to": {"all": True}, "content": CONTENT, **fields}
    return app.client.post("/v1/messages", headers=app.server, json=body)


def stored(doors: Doors, app: AppDoors) -> int:
    with doors.services.engine.connect() as connection:
        statement = text("SELECT count(*) FROM message WHERE app_id = :id")
        return int(connection.scalar(statement, {"id": app.inner_id}) or 0)


def test_a_message_is_accepted_with_its_audience_counted(app: AppDoors) -> None:
    app.add_person("ada")

    answer = send(app, to={"people": ["ada"]})

    assert answer.status_code == 202
    assert answer.json()["targeted"] == 1
    assert answer.json()["reasons"] == {"suppressed": {"no_device": 1}}
    assert answer.json()["policy"] == "at_least_once"


def test_a_campaign_is_careful_unless_told_otherwise(app: AppDoors) -> None:
    app.register()

    assert send(app, lane="campaign").json()["policy"] == "at_most_once"
    assert send(app, lane="campaign", policy="at_least_once").json()["policy"] == "at_least_once"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"to": {}}, "/to"),
        ({"to": {"people": []}}, "/to/people"),
        ({"to": {"tokens": []}}, "/to/tokens"),
        ({"to": {"all": False}}, "/to/all"),
        ({"to": {"all": True, "people": ["ada"]}}, "/to"),
        ({"to": {"people": "ada"}}, "/to/people"),
        ({"to": {"people": [7]}}, "/to/people/0"),
        ({"to": {"people": ["x"] * 10_001}}, "/to/people"),
        ({"to": {"segment": "s"}}, "/to/segment"),
        ({"to": {"people": ["nobody"]}}, "/to/people/0"),
        ({"to": {"devices": ["dev_nothing"]}}, "/to/devices/0"),
        ({"to": {"tokens": ["not a token!"]}}, "/to/tokens/0"),
        ({"content": {}}, "/content"),
        ({"content": {"title": 3}}, "/content/title"),
        ({"content": {"title": "x" * 5_000}}, "/content/title"),
        ({"content": {"title": "{{ open"}}, "/content/title"),
        ({"content": {"title": "x" * 3_000, "body": "é" * 1_000}}, "/content"),
        ({"content": {"title": "x", "ios": {"body": "{% if %}"}}}, "/content/ios/body"),
        ({"content": {"title": "x", "data": {"from": "y"}}}, "/content/data"),
        ({"content": {"title": "x", "data": {"k": 1}}}, "/content/data/k"),
        ({"content": {"title": "x", "badge": -1}}, "/content/badge"),
        ({"content": {"titel": "x"}}, "/content/titel"),
        ({"lane": "fast"}, "/lane"),
        ({"type": "email"}, "/type"),
        ({"policy": "exactly_once"}, "/policy"),
        ({"priority": 10}, "/priority"),
        ({"ttl_seconds": 0}, "/ttl_seconds"),
        ({"ttl_seconds": 2_419_201}, "/ttl_seconds"),
        ({"ttl_seconds": "3600"}, "/ttl_seconds"),
        ({"collapse_id": "é" * 33}, "/collapse_id"),
        ({"collapse_id": ""}, "/collapse_id"),
        ({"rate_per_second": 0}, "/rate_per_second"),
        ({"rate_per_second": 1e-300}, "/rate_per_second"),
        ({"send_at": "tomorrow"}, "/send_at"),
        ({"send_at": "2026-03-01T12:00:00"}, "/send_at"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_bad_input_is_pointed_at_and_nothing_is_stored(
    doors: Doors, app: AppDoors, fields: dict[str, Any], pointer: str
) -> None:
    app.register()

    document = problem(send(app, **fields), 422, "invalid_payload")

    assert pointer in pointers(document)
    assert stored(doors, app) == 0


def test_an_app_without_anybody_has_no_audience(app: AppDoors) -> None:
    document = problem(send(app), 422, "invalid_payload")

    assert pointers(document) == {"/to/all": "empty_audience"}


def test_unknown_people_are_all_named_and_raw_tokens_are_not_kept(
    doors: Doors, app: AppDoors
) -> None:
    app.add_person("ada")

    document = problem(send(app, to={"people": ["ada", "bob", "eve"]}), 422, "invalid_payload")
    problem(send(app, to={"tokens": [fcm_token("accepted", 1), "?"]}), 422, "invalid_payload")

    assert pointers(document) == {
        "/to/people/1": "unknown_person", "/to/people/2": "unknown_person",
    }  # fmt: skip
    with doors.services.engine.connect() as connection:
        statement = text("SELECT count(*) FROM device WHERE app_id = :id")
        assert connection.scalar(statement, {"id": app.inner_id}) == 0


def test_the_same_key_sends_once_and_another_body_is_refused(doors: Doors, app: AppDoors) -> None:
    body = {"to": {"tokens": [apns_token("accepted", 1)]}, "content": CONTENT}
    headers = {**app.server, "Idempotency-Key": "order-77"}

    first = app.client.post("/v1/messages", headers=headers, json=body)
    again = app.client.post("/v1/messages", headers=headers, json=body)
    other = app.client.post("/v1/messages", headers=headers, json={**body, "ttl_seconds": 60})

    assert first.status_code == again.status_code == 202
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotent-replay"] == "true"
    problem(other, 409, "idempotency_key_reused")
    assert stored(doors, app) == 1


def test_a_client_key_may_not_send(app: AppDoors) -> None:
    answer = app.client.post(
        "/v1/messages", headers=app.phone, json={"to": {"all": True}, "content": CONTENT}
    )

    problem(answer, 403, "forbidden_scope")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/deliveries"),
        ("PATCH", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/cancel"),
    ],
)
def test_another_apps_message_does_not_exist(doors: Doors, method: str, path: str) -> None:
    mine, theirs = doors.new_app(), doors.new_app()
    theirs.register()
    message_id = send(theirs).json()["id"]

    answer = doors.client.request(
        method,
        f"/v1/messages/{message_id}{path}",
        headers=mine.server,
        json={"rate_per_second": 1.0} if method == "PATCH" else None,
    )

    problem(answer, 404, "message_not_found")


def test_moves_that_come_too_late_are_conflicts(app: AppDoors) -> None:
    app.register()
    message_id = send(app, send_at="2099-01-01T00:00:00Z").json()["id"]
    path = f"/v1/messages/{message_id}"

    def post(move: str) -> Any:
        return app.client.post(f"{path}/{move}", headers=app.server)

    assert post("pause").json()["state"] == "paused"
    assert post("pause").json()["state"] == "paused"
    assert post("resume").json()["state"] == "scheduled"
    assert post("cancel").json()["state"] == "cancelled"
    assert post("cancel").status_code == 200
    problem(post("pause"), 409, "message_too_late")
    problem(post("resume"), 409, "message_too_late")
    late = app.client.patch(path, headers=app.server, json={"rate_per_second": 2.0})
    problem(late, 409, "message_too_late")


def test_send_at_can_not_change_once_sending_has_begun(app: AppDoors) -> None:
    app.add_person("ada")
    app.register()
    device = app.register()["id"]
    message_id = send(app, to={"devices": [device]}).json()["id"]

    answer = app.client.patch(
        f"/v1/messages/{message_id}",
        headers=app.server,
        json={"send_at": "2099-01-01T00:00:00Z"},
    )

    problem(answer, 409, "message_too_late")


def test_messages_are_listed_newest_first_in_pages(app: AppDoors) -> None:
    app.register()
    sent = [send(app, send_at="2099-01-01T00:00:00Z").json()["id"] for _ in range(3)]

    first = app.client.get("/v1/messages?limit=2", headers=app.server).json()
    rest = app.client.get(
        f"/v1/messages?limit=2&cursor={first['next_cursor']}", headers=app.server
    ).json()

    assert [one["id"] for one in first["data"] + rest["data"]] == sent[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=x", "state=lost", "limit=a"])
def test_bad_queries_are_pointed_at(app: AppDoors, query: str) -> None:
    app.register()
    message_id = send(app, send_at="2099-01-01T00:00:00Z").json()["id"]

    answer = app.client.get(f"/v1/messages/{message_id}/deliveries?{query}", headers=app.server)

    problem(answer, 422, "invalid_payload")
