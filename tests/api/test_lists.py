"""Static lists over HTTP: filled from files, bad lines told, nothing lost."""

from typing import Any

import pytest

from tests.api.doors import AppDoors, Doors, problem


def _make(app: AppDoors) -> str:
    answer = app.client.post("/v1/lists", headers=app.server, json={"name": "Guests"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _fill(app: AppDoors, name: str, content: bytes, method: str = "POST", **headers: str) -> Any:
    given = {**app.server, "Content-Type": "text/csv", **headers}
    path = f"/v1/lists/{name}/members"
    return app.client.request(method, path, headers=given, content=content)


def _count(app: AppDoors, name: str) -> int:
    body = {"rule": {"type": "list", "list": name}}
    answer = app.client.post("/v1/segments/count", headers=app.server, json=body)
    return int(answer.json()["people"])


def _read(app: AppDoors, name: str) -> Any:
    return app.client.get(f"/v1/lists/{name}", headers=app.server).json()


@pytest.fixture
def shop(app: AppDoors) -> AppDoors:
    for name in ("ada", "bob", "cyd"):
        app.add_person(name)
    return app


def test_a_file_is_appended_or_replaces(shop: AppDoors) -> None:
    name = _make(shop)
    first = _fill(shop, name, b"\xef\xbb\xbfexternal_id,note\r\nada,x\r\nbob,\r\nada,y\r\n").json()
    second = _fill(shop, name, b"external_id\ncyd\n").json()
    third = _fill(shop, name, b"external_id\ncyd\nbob\n", "PUT").json()

    assert (first["people"], second["people"], third["people"]) == (2, 3, 2)
    assert (first["matched"], third["matched"]) == (2, 2)
    assert (_count(shop, name), _read(shop, name)["people"]) == (2, 2)


def test_names_that_are_unknown_and_lines_that_are_bad_are_told(shop: AppDoors) -> None:
    name = _make(shop)
    content = b"note,external_id\nx,ada\ny,nobody\n,\nz\n\nx,y,bob\nx," + b"n" * 256 + b"\n"
    found = _fill(shop, name, content).json()

    assert (found["people"], found["matched"], found["unmatched"], found["bad"]) == (1, 1, 1, 4)
    assert found["unmatched_names"] == ["nobody"]
    assert [(one["line"], one["code"]) for one in found["bad_lines"]] == [
        (4, "invalid_value"), (5, "wrong_columns"), (7, "wrong_columns"), (8, "invalid_value"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"name\nada\n", "`external_id`"),
        (b"external_id,external_id\na,b\n", "`external_id`"),
        (b"external_id\n\xff\n", "UTF-8"),
        (b'external_id\nbob\n"open\n', "Line"),
    ],
)
def test_a_broken_file_changes_nothing(shop: AppDoors, content: bytes, words: str) -> None:
    name = _make(shop)
    _fill(shop, name, b"external_id\nada\n")
    found = problem(_fill(shop, name, content, "PUT"), 422, "unreadable_file")

    assert words in found["detail"]
    assert _read(shop, name)["people"] == 1


def test_what_is_too_large_or_no_csv_is_refused(shop: AppDoors, doors: Doors) -> None:
    name = _make(shop)
    large = b"external_id\n" + b"x" * doors.services.settings.max_body_bytes

    problem(_fill(shop, name, large), 413, "body_too_large")
    json = {"Content-Type": "application/json"}
    problem(_fill(shop, name, b"{}", **json), 415, "unsupported_media_type")


def test_lists_are_listed_and_deleted(shop: AppDoors, doors: Doors) -> None:
    names = [_make(shop) for _ in range(2)]
    _fill(shop, names[0], b"external_id\nada\n")
    page = shop.client.get("/v1/lists", headers=shop.server).json()["data"]
    stranger = doors.new_app()
    refused = stranger.client.delete(f"/v1/lists/{names[0]}", headers=stranger.server)
    deleted = shop.client.delete(f"/v1/lists/{names[0]}", headers=shop.server)

    assert [(one["id"], one["people"]) for one in page] == [(names[0], 1), (names[1], 0)]
    problem(refused, 404, "list_not_found")
    problem(_fill(stranger, names[1], b"external_id\nada\n"), 404, "list_not_found")
    assert deleted.status_code == 204
    assert _count(shop, names[0]) == 0


def test_a_list_that_a_segment_names_is_not_deleted(shop: AppDoors) -> None:
    name = _make(shop)
    rule = {"type": "not", "of": {"type": "list", "list": name}}
    body = {"name": "The others", "rule": rule}
    made = shop.client.post("/v1/segments", headers=shop.server, json=body).json()
    refused = shop.client.delete(f"/v1/lists/{name}", headers=shop.server)
    shop.client.delete(f"/v1/segments/{made['id']}", headers=shop.server).raise_for_status()

    assert made["id"] in problem(refused, 409, "list_in_use")["detail"]
    assert shop.client.delete(f"/v1/lists/{name}", headers=shop.server).status_code == 204
