"""Attributes over HTTP: discovered, declared, limited."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from segments.attributes import profile, repository
from tests.api.doors import AppDoors, Doors, open_doors, pointers, problem, settings_for


def _get(app: AppDoors, path: str) -> Any:
    answer = app.client.get(f"/v1/{path}", headers=app.server)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _declare(app: AppDoors, name: str, **body: Any) -> Any:
    answer = app.client.put(f"/v1/attributes/{name}", headers=app.server, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _put(app: AppDoors, **attributes: Any) -> Any:
    return app.client.put("/v1/people/ada", headers=app.server, json={"attributes": attributes})


def test_attributes_are_discovered_exactly_and_at_once(app: AppDoors) -> None:
    app.add_person("ada", attributes={"age": 36, "plan": "pro"})
    app.add_person("bob", attributes={"age": "36"})
    data = _get(app, "attributes")["data"]

    assert {one["name"]: (one["people"], one["types"]) for one in data} == {
        "age": (2, {"number": 1, "text": 1}),
        "plan": (1, {"text": 1}),
    }
    assert {one["values"] for one in data} == {None}


def test_values_are_shown_when_they_were_looked_at(app: AppDoors, doors: Doors) -> None:
    app.add_person("ada", attributes={"plan": "pro"})
    with doors.services.engine.begin() as connection:
        repository.roll_up(connection)
        profile.profile(connection, app.inner_id)
    values = _get(app, "attributes/plan")["values"]

    assert {**values, "at": 0} == {
        "distinct": 1, "is_exact": True, "seen": 1, "examples": ["pro"], "at": 0,
    }  # fmt: skip


def test_a_declared_type_is_kept_from_then_on(app: AppDoors) -> None:
    app.add_person("old", attributes={"age": "36"})
    declared = _declare(app, "age", type="number")
    refused = problem(_put(app, age="37"), 422, "invalid_payload")
    batch = app.client.post(
        "/v1/people/batch",
        headers=app.server,
        json={
            "people": [
                {"external_id": "a", "attributes": {"age": True}},
                {"external_id": "b", "attributes": {"age": 1, "other": []}},
                {"external_id": "c", "attributes": {"age": None}},
            ]
        },
    ).json()

    assert (declared["type"], declared["mismatched"]) == ("number", 1)
    assert pointers(refused) == {"/attributes/age": "wrong_type"}
    assert [one["status"] for one in batch["results"]] == [422, 201, 201]
    assert batch["results"][0]["errors"][0]["pointer"] == "/people/0/attributes/age"
    assert _get(app, "attributes/age")["types"] == {"text": 1, "number": 1}


def test_a_declaration_is_changed_field_by_field_and_lifted(app: AppDoors) -> None:
    _declare(app, "points", type="number", on_merge="sum")
    kept = _declare(app, "points", on_merge="max")
    lifted = _declare(app, "points", type=None)

    assert (kept["type"], kept["on_merge"]) == ("number", "max")
    assert (lifted["type"], lifted["on_merge"]) == (None, "max")
    assert _put(app, points="many").status_code == 201


def test_the_rule_of_an_attribute_decides_at_a_merge(app: AppDoors) -> None:
    _declare(app, "points", on_merge="sum")
    app.add_person("ada", attributes={"points": 3})
    app.add_person("bob", attributes={"points": 0.5})
    body = {"into": "ada", "from": "bob"}
    merge = app.client.post("/v1/merges", headers=app.server, json=body).json()

    assert merge["changed"] == {"points": {"before": 3, "after": 3.5}}


def test_what_is_declared_can_be_protected_from_others(app: AppDoors) -> None:
    seen = app.client.put("/v1/attributes/x", headers=app.server, json={"type": "text"})
    _declare(app, "x", type="number")
    answer = app.client.put(
        "/v1/attributes/x",
        headers={**app.server, "If-Match": seen.headers["etag"]},
        json={"type": "list"},
    )

    problem(answer, 412, "precondition_failed")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"type": "date"}, "/type"), ({"on_merge": None}, "/on_merge"), ({"kind": 1}, "/kind")],
)
def test_a_wrong_declaration_is_pointed_at(app: AppDoors, body: Any, pointer: str) -> None:
    answer = app.client.put("/v1/attributes/x", headers=app.server, json=body)

    assert set(pointers(problem(answer, 422, "invalid_payload"))) == {pointer}


def test_odd_names_are_names(app: AppDoors) -> None:
    for name in ("a.b", "Größe", "a/b", "🎉", "a b"):
        assert _put(app, **{name: 1}).status_code in {200, 201}
    names = [one["name"] for one in _get(app, "attributes")["data"]]

    assert sorted(names) == sorted(["a.b", "Größe", "a/b", "🎉", "a b"])
    assert _get(app, "attributes/a%2Fb")["people"] == 1


def test_a_deep_attribute_is_refused(app: AppDoors) -> None:
    value: Any = 1
    for _ in range(9):
        value = {"a": value}
    answer = problem(_put(app, deep=value), 422, "invalid_payload")

    assert pointers(answer) == {"/attributes/deep": "too_deep"}


def test_unknown_attributes_and_those_of_others_are_not_found(app: AppDoors, doors: Doors) -> None:
    doors.new_app().add_person("eve", attributes={"secret": 1})
    answer = app.client.get("/v1/attributes/secret", headers=app.server)

    problem(answer, 404, "not_found")


def test_attributes_come_in_pages(app: AppDoors) -> None:
    for number in range(5):
        _put(app, **{f"a{number}": 1})
    first = _get(app, "attributes?limit=3")
    rest = _get(app, f"attributes?limit=3&cursor={first['next_cursor']}")

    assert [one["name"] for one in first["data"] + rest["data"]] == [f"a{n}" for n in range(5)]
    assert rest["next_cursor"] is None


@pytest.fixture
def narrow(database_url: str, redis_url: str) -> Iterator[Doors]:
    """Doors of an installation in which an app may have three attributes."""
    with open_doors(settings_for(database_url, redis_url, attribute_names_limit=3)) as doors:
        yield doors


def test_the_number_of_names_is_limited(narrow: Doors) -> None:
    app = narrow.new_app()
    assert _put(app, a=1, b=1, c=1).status_code == 201
    refused = problem(_put(app, a=2, d=1), 422, "invalid_payload")
    declared = app.client.put("/v1/attributes/d", headers=app.server, json={"type": "text"})

    assert pointers(refused) == {"/attributes/d": "too_many_names"}
    problem(declared, 409, "too_many_attributes")
    assert _get(app, "people/ada")["attributes"]["a"] == 1
    assert _put(app, a=3).status_code == 200


def test_counts_stay_exact_while_they_are_rolled_up(app: AppDoors, doors: Doors) -> None:
    for number in range(3):
        app.add_person(f"p{number}", attributes={"x": number})
        with doors.services.engine.begin() as connection:
            repository.roll_up(connection)
    app.add_person("p0", attributes={"x": "text"})
    with doors.services.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM person WHERE external_id = 'p1' AND app_id = :a"), {"a": app.inner_id}
        )

    assert _get(app, "attributes/x")["types"] == {"number": 1, "text": 1}
