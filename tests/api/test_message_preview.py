"""The doors before a message: preview and count."""

from typing import Any

import pytest

from tests.api.doors import AppDoors, Doors, pointers, problem

CONTENT = {"title": "Hello {{ first_name }}", "ios": {"body": "On iOS"}}


def preview(app: AppDoors, **fields: Any) -> Any:
    body = {"content": CONTENT, **fields}
    return app.client.post("/v1/messages/preview", headers=app.server, json=body)


def count(app: AppDoors, to: dict[str, Any]) -> Any:
    return app.client.post("/v1/messages/count", headers=app.server, json={"to": to})


def test_a_message_is_shown_as_a_person_would_get_it(app: AppDoors) -> None:
    app.add_person("ada", attributes={"first_name": "Ada"})

    shown = preview(app, person="ada").json()

    assert shown["person"] == "ada"
    assert shown["ios"]["notification"]["title"] == "Hello Ada"
    assert shown["ios"]["notification"]["body"] == "On iOS"
    assert shown["android"]["notification"]["body"] is None
    assert shown["android"]["sizes"][0]["limit_bytes"] == 4_096


def test_made_up_attributes_do_as_well(app: AppDoors) -> None:
    shown = preview(app, attributes={"first_name": "<b>Bob</b>"}).json()

    assert shown["web"]["notification"]["title"] == "Hello <b>Bob</b>"


def test_a_text_that_can_not_be_rendered_is_pointed_at(app: AppDoors) -> None:
    shown = preview(app).json()

    assert shown["ios"]["notification"] is None
    assert [fault["pointer"] for fault in shown["ios"]["errors"]] == ["/content/title"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"content": {}}, "/content"),
        ({"content": {"title": 1}}, "/content/title"),
        ({"person": "nobody"}, "/person"),
        ({"person": "ada", "attributes": {}}, ""),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_what_can_not_be_previewed_is_pointed_at(
    app: AppDoors, fields: dict[str, Any], pointer: str
) -> None:
    assert list(pointers(problem(preview(app, **fields), 422, "invalid_payload"))) == [pointer]


def test_a_preview_for_a_person_needs_to_read_people(app: AppDoors, doors: Doors) -> None:
    app.add_person("ada", attributes={"first_name": "Ada"})
    sender = doors.new_key(app.inner_id, "server", ["messages:send"])
    reader = doors.new_key(app.inner_id, "server", ["people:read"])

    def ask(headers: dict[str, str], **fields: Any) -> Any:
        body = {"content": CONTENT, **fields}
        return app.client.post("/v1/messages/preview", headers=headers, json=body)

    assert ask(sender).status_code == 200
    problem(ask(sender, person="ada"), 403, "forbidden_scope")
    problem(ask(reader), 403, "forbidden_scope")
    problem(ask(app.phone), 403, "forbidden_scope")


def test_a_person_of_another_app_does_not_exist(app: AppDoors, doors: Doors) -> None:
    doors.new_app("Other").add_person("ada", attributes={"first_name": "Ada"})

    problem(preview(app, person="ada"), 422, "invalid_payload")


def test_the_count_is_what_a_message_then_targets(app: AppDoors) -> None:
    for name in ("ada", "bob", "cy"):
        app.add_person(name)
    for person, permission in (("ada", "granted"), ("ada", "denied"), ("bob", "granted")):
        device = app.register()["id"]
        path = f"/v1/devices/{device}"
        app.client.patch(path, headers=app.server, json={"permission": permission})
        app.client.post(f"{path}/bind", headers=app.server, json={"person": person})
    app.register()

    counted = count(app, {"all": True}).json()
    listed = count(app, {"people": ["ada", "cy", "ada"]}).json()
    sent = app.client.post(
        "/v1/messages",
        headers=app.server,
        json={"to": {"people": ["ada", "cy", "ada"]}, "content": {"title": "x"}},
    ).json()

    assert counted["recipients"] == 5
    assert listed["recipients"] == sent["targeted"] == 3
    assert listed["suppressed"] == sent["reasons"]["suppressed"]
    assert listed["sendable"] == 0


@pytest.mark.parametrize(
    ("to", "pointer"),
    [
        ({}, "/to"),
        ({"all": True, "people": ["ada"]}, "/to"),
        ({"tokens": ["x"]}, "/to/tokens"),
        ({"people": ["nobody"]}, "/to/people/0"),
        ({"all": True}, "/to/all"),
    ],
)
def test_an_audience_that_can_not_be_counted_is_pointed_at(
    app: AppDoors, to: dict[str, Any], pointer: str
) -> None:
    assert pointer in pointers(problem(count(app, to), 422, "invalid_payload"))
