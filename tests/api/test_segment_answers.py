"""What segments say of people: counts with the waterfall, samples, explanations, the past."""

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.clock import utc_now
from tests.api.doors import AppDoors, Doors, open_doors, pointers, problem, settings_for
from tests.api.test_segments import GOLD, make

EVERYBODY: dict[str, Any] = {"type": "all", "of": []}


def _count(app: AppDoors, rule: Any, **values: Any) -> Any:
    body = {"rule": rule, **values}
    answer = app.client.post("/v1/segments/count", headers=app.server, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _steps(found: Any) -> dict[str, int]:
    return {one["step"]: one["people"] for one in found["waterfall"]}


def _get(app: AppDoors, path: str, **query: str) -> Any:
    answer = app.client.get(f"/v1/{path}", headers=app.server, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _post(app: AppDoors, question: str, **body: Any) -> Any:
    answer = app.client.post(f"/v1/segments/{question}", headers=app.server, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _phone(app: AppDoors, person: str, **values: Any) -> str:
    body = {"installation_id": f"{person}-{time.monotonic_ns()}", "person": person, **values}
    body = {"provider": "fcm", "token": f"d{time.monotonic_ns()}:APA91b{'x' * 40}", **body}
    body = {"platform": "android", **body}
    answer = app.client.post("/v1/devices", headers=app.server, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_each_step_of_the_waterfall_keeps_back_whom_it_names(app: AppDoors, doors: Doors) -> None:
    for name in ("other", "bare", "silent", "closed", "listed", "ada", "bob"):
        plan = "free" if name == "other" else "gold"
        consents = {"push": name != "silent"}
        app.add_person(name, attributes={"plan": plan}, consents=consents)
    for name in ("other", "silent", "listed", "ada", "bob", "bob"):
        _phone(app, name, permission="granted")
    for name in ("closed", "ada"):
        _phone(app, name, permission="denied")
    with doors.services.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO suppression (app_id, external_id, source) VALUES (:app, :name, 't')"),
            [{"app": app.inner_id, "name": name} for name in ("listed", "nobody")],
        )
    found = _count(app, GOLD)
    stored = _get(app, f"segments/{make(app)['id']}/count")

    assert _steps(found) == {
        "matched": 6, "device": 5, "consent": 4, "permission": 3, "suppression_list": 2,
    }  # fmt: skip
    assert (found["people"], found["deliverable"]) == (6, 2)
    assert found["platforms"] == {
        "android": {"people": 2, "devices": 3},
        "ios": {"people": 0, "devices": 0},
        "web": {"people": 0, "devices": 0},
    }
    assert {**stored, "at": 0} == {**found, "at": 0}


def test_the_default_of_the_app_holds_for_who_said_nothing(app: AppDoors, doors: Doors) -> None:
    app.add_person("ada", attributes={"plan": "gold"}, consents={"push": True})
    app.add_person("bob", attributes={"plan": "gold"})
    for name in ("ada", "bob"):
        _phone(app, name)
    before = _count(app, GOLD)
    with doors.services.engine.begin() as connection:
        statement = text("UPDATE app SET push_by_default = false WHERE id = :app")
        connection.execute(statement, {"app": app.inner_id})

    assert (_steps(before)["consent"], _steps(_count(app, GOLD))["consent"]) == (2, 1)


def test_a_token_that_has_ended_is_no_device(app: AppDoors) -> None:
    app.add_person("ada", attributes={"plan": "gold"})
    device = _phone(app, "ada")
    before = _count(app, GOLD)
    assert app.client.delete(f"/v1/devices/{device}", headers=app.server).status_code == 204

    assert (_steps(before)["device"], _steps(_count(app, GOLD))["device"]) == (1, 0)


def test_nobody_is_no_error(app: AppDoors) -> None:
    found = _count(app, EVERYBODY)

    assert (found["people"], found["deliverable"], found["warnings"]) == (0, 0, [])


def test_a_rule_that_takes_too_long_is_stopped_in_words(database_url: str, redis_url: str) -> None:
    settings = settings_for(database_url, redis_url, rule_timeout_seconds=0.001)
    with open_doors(settings) as doors:
        app = doors.new_app()
        with doors.services.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO person (app_id, external_id, attributes) "
                    "SELECT :app, 'p' || n, '{\"a\": \"aaaaaaaaaaaaaaaaaaaa\"}' "
                    "FROM generate_series(1, 20000) n"
                ),
                {"app": app.inner_id},
            )
        rule = {"type": "attribute", "name": "a", "operator": "matches", "value": "a*b"}
        body = {"rule": rule}
        answer = doors.client.post("/v1/segments/count", headers=app.server, json=body)
        after = doors.client.get("/v1/segments", headers=app.server)

    found = problem(answer, 503, "rule_timeout")
    assert "0.001 seconds" in found["detail"]
    assert after.status_code == 200


def test_a_sample_shows_people_who_are_meant(app: AppDoors) -> None:
    people = [{"external_id": f"p{n}", "attributes": {"plan": "gold"}} for n in range(25)]
    batch = {"people": [*people, {"external_id": "other"}]}
    app.client.post("/v1/people/batch", headers=app.server, json=batch)
    found = _get(app, f"segments/{make(app)['id']}/sample")["data"]
    posted = app.client.post("/v1/segments/sample", headers=app.server, json={"rule": GOLD})

    assert len({one["external_id"] for one in found}) == 20
    assert {one["attributes"]["plan"] for one in found} == {"gold"}
    assert len(posted.json()["data"]) == 20


def test_an_explanation_says_node_by_node_who_is_a_member(app: AppDoors) -> None:
    app.add_person("a/da", attributes={"plan": "gold"})
    app.add_person("bob", attributes={"plan": "free"})
    inner = make(app)["id"]
    outer = make(app, {"type": "all", "of": [{"type": "segment", "segment": inner}]})["id"]
    ada = _get(app, f"segments/{outer}/explain/a%2Fda")
    body = {"rule": {"type": "not", "of": GOLD}, "person": "bob"}
    bob = app.client.post("/v1/segments/explain", headers=app.server, json=body).json()

    assert (ada["person"], ada["member"], ada["finding"]["holds"]) == ("a/da", True, True)
    named = ada["finding"]["inside"][0]
    assert (named["pointer"], named["holds"]) == ("/rule/of/0", True)
    assert "`plan`" in named["inside"][0]["words"]
    assert bob["member"] is True
    assert [(one["pointer"], one["holds"]) for one in bob["finding"]["inside"]] == [
        ("/rule/of", False)
    ]


def test_somebody_unknown_is_not_explained(app: AppDoors) -> None:
    segment = make(app)["id"]
    body = {"rule": GOLD, "person": "nobody"}
    posted = app.client.post("/v1/segments/explain", headers=app.server, json=body)
    read = app.client.get(f"/v1/segments/{segment}/explain/nobody", headers=app.server)

    assert pointers(problem(posted, 422, "invalid_payload")) == {"/person": "unknown_person"}
    problem(read, 404, "not_found")


def test_two_segments_are_laid_over_each_other(app: AppDoors) -> None:
    for name, plan, vip in (("a", "gold", 1), ("b", "gold", 2), ("c", "free", 1), ("d", "x", 3)):
        app.add_person(name, attributes={"plan": plan, "vip": vip})
    one = {"type": "attribute", "name": "vip", "operator": "equals", "value": 1}
    first, second = make(app)["id"], make(app, one)["id"]

    assert _get(app, f"segments/{first}/overlap/{second}") == {
        "first": 2, "second": 2, "both": 1, "only_first": 1, "only_second": 1, "either": 3,
    }  # fmt: skip
    assert _get(app, f"segments/{first}/overlap/{first}")["only_first"] == 0


def test_the_past_is_counted_as_it_was(app: AppDoors, doors: Doors) -> None:
    app.add_person("ada", attributes={"plan": "gold"}, consents={"push": False})
    app.add_person("bob", attributes={"plan": "free"})
    with doors.services.engine.connect() as connection:
        then = connection.scalar(text("SELECT clock_timestamp()")).isoformat()
    app.add_person("ada", attributes={"plan": "free"}, consents={"push": True})
    app.add_person("cyd", attributes={"plan": "gold"})
    _phone(app, "ada")
    told = {"type": "person", "field": "push_consent", "operator": "equals", "value": False}
    both = {"type": "all", "of": [GOLD, told]}
    device = {"type": "device"}

    assert (_count(app, both)["people"], _count(app, both, at=then)["people"]) == (0, 1)
    assert (_count(app, EVERYBODY)["people"], _count(app, EVERYBODY, at=then)["people"]) == (3, 2)
    past = _count(app, {"type": "all", "of": [device]}, at=then)
    assert (past["people"], past["by_today"], past["deliverable"]) == (1, ["/rule/of/0"], None)
    assert _steps(past) == {"matched": 1}
    segment = make(app, both)["id"]
    read = app.client.get(f"/v1/segments/{segment}/count", params={"at": then}, headers=app.server)
    assert read.json()["people"] == 1


@pytest.mark.parametrize("days", [-401, 1])
def test_a_moment_without_history_is_refused(app: AppDoors, days: int) -> None:
    at = (utc_now() + timedelta(days=days)).isoformat()
    body = {"rule": GOLD, "at": at}
    answer = app.client.post("/v1/segments/count", headers=app.server, json=body)

    assert pointers(problem(answer, 422, "invalid_payload")) == {"/at": "out_of_range"}


def test_samples_and_explanations_are_of_a_past_moment_too(app: AppDoors, doors: Doors) -> None:
    app.add_person("ada", attributes={"plan": "gold", "n": 1}, consents={"push": False})
    with doors.services.engine.connect() as connection:
        then = connection.scalar(text("SELECT clock_timestamp()")).isoformat()
    app.add_person("ada", attributes={"plan": "free"}, consents={"push": True})
    app.add_person("cyd", attributes={"plan": "gold"})
    told = {"type": "person", "field": "push_consent", "operator": "equals", "value": False}
    rule = {"type": "all", "of": [GOLD, told, {"type": "not", "of": {"type": "device"}}]}
    segment = f"segments/{make(app, rule)['id']}"
    at = {"at": then}

    found = _post(app, "sample", rule=rule, **at)["data"]
    assert [(one["external_id"], one["attributes"]) for one in found] == [
        ("ada", {"plan": "gold", "n": 1})
    ]
    assert _get(app, f"{segment}/sample", **at)["data"] == found
    assert _get(app, f"{segment}/sample")["data"] == []
    explained = _post(app, "explain", rule=rule, person="ada", **at)
    assert (explained["member"], explained["by_today"]) == (True, ["/rule/of/2/of"])
    assert explained == _get(app, f"{segment}/explain/ada", **at)
    today = _get(app, f"{segment}/explain/ada")
    assert (today["member"], today["by_today"]) == (False, [])
    path = f"/v1/{segment}/explain/cyd"
    problem(app.client.get(path, headers=app.server, params=at), 404, "not_found")


@pytest.mark.parametrize("path", ["sample", "explain/ada", "export", "count"])
def test_no_question_is_about_the_future(app: AppDoors, path: str) -> None:
    app.add_person("ada")
    at = (utc_now() + timedelta(days=1)).isoformat()
    asked = f"/v1/segments/{make(app)['id']}/{path}"
    answer = app.client.get(asked, headers=app.server, params={"at": at})

    assert pointers(problem(answer, 422, "invalid_payload")) == {"query:at": "out_of_range"}
