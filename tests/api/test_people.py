"""People: merged one by one or by the thousand, and read in pages."""

from typing import Any

import pytest

from tests.api.doors import AppDoors, pointers, problem


def _put(app: AppDoors, external_id: str, **body: Any) -> dict[str, Any]:
    answer = app.client.put(f"/v1/people/{external_id}", headers=app.server, json=body)
    assert answer.status_code in {200, 201}, answer.text
    return dict(answer.json())


def test_a_person_is_created_then_merged(app: AppDoors) -> None:
    body = {
        "attributes": {"first_name": "Ada", "orders": 1, "address": {"city": "London", "no": 12}},
        "locale": "en-GB",
        "time_zone": "Europe/London",
        "country": "GB",
    }
    created = app.client.put("/v1/people/ada", headers=app.server, json=body)
    merged = app.client.put(
        "/v1/people/ada",
        headers=app.server,
        json={
            "attributes": {"orders": 2, "first_name": None, "address": {"city": "Paris"}},
            "country": None,
        },
    )

    assert (created.status_code, merged.status_code) == (201, 200)
    person = app.client.get("/v1/people/ada", headers=app.server).json()
    assert person == merged.json()
    assert person["attributes"] == {"orders": 2, "address": {"city": "Paris"}}
    assert (person["locale"], person["time_zone"]) == ("en-GB", "Europe/London")
    assert person["country"] is None


def test_an_empty_put_changes_nothing(app: AppDoors) -> None:
    before = _put(app, "ada", attributes={"a": 1}, locale="de")
    after = _put(app, "ada")

    assert {**after, "updated_at": ""} == {**before, "updated_at": ""}


@pytest.mark.parametrize("external_id", [".", ".."])
def test_names_that_vanish_from_paths_are_refused(app: AppDoors, external_id: str) -> None:
    batch = app.client.post(
        "/v1/people/batch",
        headers=app.server,
        json={"people": [{"external_id": external_id}, {"external_id": "ada"}]},
    )
    message = app.client.post(
        "/v1/messages",
        headers=app.server,
        json={"to": {"people": [external_id]}, "content": {"title": "Hello"}},
    )

    bad, good = batch.json()["results"]
    assert pointers(bad) == {"/people/0/external_id": "invalid_value"}
    assert (bad["status"], good["status"]) == (422, 201)
    assert pointers(problem(message, 422, "invalid_payload")) == {"/to/people/0": "invalid_value"}


@pytest.mark.parametrize(
    "external_id", ["a/b", "a b", "ü@example.com", "%", "x" * 255, "..a", "...", ".a", ". "]
)
def test_any_printable_id_can_be_put_and_read(app: AppDoors, external_id: str) -> None:
    path = external_id.replace("%", "%25").replace("/", "%2F")

    assert _put(app, path)["external_id"] == external_id
    read = app.client.get(f"/v1/people/{path}", headers=app.server)
    assert read.json()["external_id"] == external_id


def test_a_person_nobody_put_is_not_found(app: AppDoors) -> None:
    problem(app.client.get("/v1/people/ada", headers=app.server), 404, "not_found")


def test_growth_stops_at_the_limit_of_all_attributes_together(app: AppDoors) -> None:
    _put(app, "ada", attributes={"one": "x" * 20_000})

    answer = app.client.put(
        "/v1/people/ada", headers=app.server, json={"attributes": {"two": "x" * 20_000}}
    )

    assert pointers(problem(answer, 422, "invalid_payload")) == {"/attributes": "too_long"}
    _put(app, "ada", attributes={"one": None, "two": "x" * 20_000})


def test_a_batch_answers_for_each_item_and_a_bad_one_fails_alone(app: AppDoors) -> None:
    _put(app, "known", attributes={"a": 1})
    people = [
        {"external_id": "new", "attributes": {"b": 1}},
        {"external_id": "known", "attributes": {"b": 2}},
        {"external_id": "bad", "country": "XX"},
        "no object",
        {"external_id": "large", "attributes": {"x": "y" * 33_000}},
        {"attributes": {}},
    ]

    answer = app.client.post("/v1/people/batch", headers=app.server, json={"people": people})

    assert answer.status_code == 207
    document = answer.json()
    results = document["results"]
    assert [one["index"] for one in results] == list(range(6))
    assert [one["status"] for one in results] == [201, 200, 422, 422, 422, 422]
    assert (document["succeeded"], document["failed"]) == (2, 4)
    assert [next(iter(pointers(one))) for one in results[2:]] == [
        "/people/2/country",
        "/people/3",
        "/people/4/attributes",
        "/people/5/external_id",
    ]
    known = app.client.get("/v1/people/known", headers=app.server).json()
    assert known["attributes"] == {"a": 1, "b": 2}
    assert app.client.get("/v1/people/bad", headers=app.server).status_code == 404


def test_what_no_json_here_may_hold_refuses_a_whole_batch_with_its_place(app: AppDoors) -> None:
    people = [{"external_id": "good"}, {"external_id": "bad", "attributes": {"name": "\0"}}]

    answer = app.client.post("/v1/people/batch", headers=app.server, json={"people": people})

    assert pointers(problem(answer, 422, "invalid_payload")) == {
        "/people/1/attributes/name": "nul_character"
    }
    assert app.client.get("/v1/people/good", headers=app.server).status_code == 404


def test_changes_to_one_person_in_a_batch_apply_in_order(app: AppDoors) -> None:
    people = [
        {"external_id": "ada", "attributes": {"a": 1, "b": 1}, "locale": "de"},
        {"external_id": "ada", "attributes": {"a": 2, "b": None}},
    ]
    app.client.post("/v1/people/batch", headers=app.server, json={"people": people})

    person = app.client.get("/v1/people/ada", headers=app.server).json()
    assert (person["attributes"], person["locale"]) == ({"a": 2}, "de")


@pytest.mark.parametrize(("size", "code"), [(0, "too_short"), (1_001, "too_long")])
def test_a_batch_has_one_to_a_thousand_people(app: AppDoors, size: int, code: str) -> None:
    people = [{"external_id": f"p{number}"} for number in range(size)]
    answer = app.client.post("/v1/people/batch", headers=app.server, json={"people": people})

    assert pointers(problem(answer, 422, "invalid_payload")) == {"/people": code}


def test_people_come_in_pages_in_the_order_they_were_made(app: AppDoors) -> None:
    names = [f"p{number}" for number in range(5)]
    for name in names:
        _put(app, name)
    seen: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?limit=2&cursor={cursor}" if cursor else "?limit=2"
        page = app.client.get(f"/v1/people{query}", headers=app.server).json()
        seen.append([person["external_id"] for person in page["data"]])
        cursor = page["next_cursor"]

    assert seen == [names[:2], names[2:4], names[4:]]


def test_numbers_beyond_64_bits_come_back(app: AppDoors) -> None:
    for name in ("ada", "bob"):
        _put(app, name, attributes={"big": 1e300 if name == "ada" else 2e300})
    read = app.client.get("/v1/people/ada", headers=app.server)
    listed = app.client.get("/v1/people", headers=app.server)
    event = {"name": "seen", "person": "ada", "properties": {"big": 1e300}}
    app.client.post("/v1/events", headers=app.server, json=event).raise_for_status()
    events = app.client.get("/v1/people/ada/events", headers=app.server)
    body = {"into": "ada", "from": "bob"}
    merged = app.client.post("/v1/merges", headers=app.server, json=body)

    assert read.json()["attributes"] == {"big": 10**300}
    assert read.json()["created_at"].endswith("Z")
    assert [one["attributes"]["big"] for one in listed.json()["data"]] == [10**300, 2 * 10**300]
    assert events.json()["data"][0]["properties"] == {"big": 10**300}
    assert (merged.status_code, merged.json()["changed"]["big"]["before"]) == (201, 10**300)
