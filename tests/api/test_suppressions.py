"""The suppression list over HTTP, and what it keeps back."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.api.doors import AppDoors, Doors, pointers, problem
from tests.api.test_messages import send

CREDENTIAL = """
INSERT INTO credential (app_id, public_id, provider, kind, name, sealed)
VALUES (:app, 'cred_' || :app, 'fcm', 'service_account', 'FCM', '')
"""


def _suppress(app: AppDoors, *people: str, **values: Any) -> Any:
    body = {"people": list(people), **values}
    answer = app.client.post("/v1/suppressions", headers=app.server, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _count(app: AppDoors, **to: Any) -> Any:
    answer = app.client.post("/v1/messages/count", headers=app.server, json={"to": to})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _add(app: AppDoors, person: str, **values: Any) -> str:
    app.add_person(person, **values)
    device = app.register()["id"]
    body = {"person": person}
    bound = app.client.post(f"/v1/devices/{device}/bind", headers=app.server, json=body)
    assert bound.is_success, bound.text
    return str(device)


@pytest.fixture
def shop(app: AppDoors, doors: Doors) -> AppDoors:
    """An app that can send to Android."""
    with doors.services.engine.begin() as connection:
        connection.execute(text(CREDENTIAL), {"app": app.inner_id})
    return app


def test_names_are_put_on_the_list_read_and_taken_off(app: AppDoors) -> None:
    first = _suppress(app, "a/da", "bob", "bob", reason="By letter")
    second = _suppress(app, "bob", "cyd", reason="Again")
    listed = app.client.get("/v1/suppressions?limit=2", headers=app.server).json()
    rest = app.client.get(
        f"/v1/suppressions?cursor={listed['next_cursor']}", headers=app.server
    ).json()
    path = "/v1/suppressions/a%2Fda"
    read = app.client.get(path, headers=app.server).json()
    removed = [app.client.delete(path, headers=app.server) for _ in range(2)]

    assert (first, second) == ({"added": 2, "known": 0}, {"added": 1, "known": 1})
    data = [*listed["data"], *rest["data"]]
    assert [(one["person"], one["reason"]) for one in data] == [
        ("a/da", "By letter"), ("bob", "By letter"), ("cyd", "Again"),
    ]  # fmt: skip
    assert read == data[0]
    assert removed[0].status_code == 204
    problem(removed[1], 404, "not_found")
    problem(app.client.get(path, headers=app.server), 404, "not_found")


def test_other_apps_have_other_lists(app: AppDoors, doors: Doors) -> None:
    other = doors.new_app()
    _suppress(other, "ada")

    assert app.client.get("/v1/suppressions", headers=app.server).json()["data"] == []
    problem(app.client.delete("/v1/suppressions/ada", headers=app.server), 404, "not_found")


def test_who_may_read_people_may_not_suppress_them(app: AppDoors, doors: Doors) -> None:
    reader = doors.new_key(app.inner_id, "server", ["people:read"])
    body = {"people": ["ada"]}

    assert doors.client.get("/v1/suppressions", headers=reader).status_code == 200
    answer = doors.client.post("/v1/suppressions", headers=reader, json=body)
    problem(answer, 403, "forbidden_scope")


def test_a_wrong_name_is_pointed_at(app: AppDoors) -> None:
    body = {"people": ["ada", ".."]}
    answer = app.client.post("/v1/suppressions", headers=app.server, json=body)

    assert pointers(problem(answer, 422, "invalid_payload")) == {"/people/1": "invalid_value"}


def test_nothing_is_sent_to_who_is_on_the_list_or_refuses(shop: AppDoors) -> None:
    _add(shop, "ada")
    _add(shop, "bob", consents={"push": False})
    cyd = _add(shop, "cyd")
    _suppress(shop, "cyd", "nobody yet")
    reasons = {"no_consent": 1, "suppression_list": 1}

    assert _count(shop, all=True) == {"recipients": 3, "sendable": 1, "suppressed": reasons}
    assert _count(shop, people=["ada", "bob", "cyd"])["suppressed"] == reasons
    assert _count(shop, devices=[cyd])["suppressed"] == {"suppression_list": 1}
    sent = send(shop, to={"people": ["bob", "cyd"]}).json()
    assert sent["reasons"] == {"suppressed": reasons}
    assert sent["targeted"] == 2


def test_the_default_of_the_app_keeps_back_who_said_nothing(shop: AppDoors, doors: Doors) -> None:
    _add(shop, "ada")
    _add(shop, "bob", consents={"push": True})
    with doors.services.engine.begin() as connection:
        statement = text("UPDATE app SET push_by_default = false WHERE id = :app")
        connection.execute(statement, {"app": shop.inner_id})

    assert _count(shop, people=["ada", "bob"])["suppressed"] == {"no_consent": 1}
    assert _count(shop, all=True)["suppressed"] == {"no_consent": 1}


def test_a_name_that_leads_to_another_person_takes_the_suppression_along(shop: AppDoors) -> None:
    _add(shop, "ada")
    _add(shop, "bob")
    _suppress(shop, "bob")
    body = {"into": "ada", "from": "bob"}
    merge = shop.client.post("/v1/merges", headers=shop.server, json=body).json()
    merged = _count(shop, people=["ada"]), _count(shop, all=True)
    undone = shop.client.post(f"/v1/merges/{merge['id']}/undo", headers=shop.server)
    assert undone.is_success, undone.text

    assert [one["suppressed"] for one in merged] == [{"suppression_list": 2}] * 2
    assert _count(shop, people=["ada"])["suppressed"] == {}
    assert _count(shop, people=["bob"])["suppressed"] == {"suppression_list": 1}


def test_who_loses_a_suppressed_alias_stays_suppressed(shop: AppDoors) -> None:
    _add(shop, "ada")
    body = {"person": "ada", "alias": "ada@example.com"}
    shop.client.post("/v1/aliases", headers=shop.server, json=body).raise_for_status()
    _suppress(shop, "ada@example.com", reason="By letter")
    removed = shop.client.delete("/v1/aliases/ada@example.com", headers=shop.server)

    assert removed.status_code == 204
    assert _count(shop, people=["ada"])["suppressed"] == {"suppression_list": 1}
    own = shop.client.get("/v1/suppressions/ada", headers=shop.server).json()
    assert own["reason"] == "By letter"


def test_the_name_of_who_is_not_known_yet_holds_when_they_come(shop: AppDoors) -> None:
    _suppress(shop, "new")
    _add(shop, "new")

    assert _count(shop, people=["new"])["suppressed"] == {"suppression_list": 1}
