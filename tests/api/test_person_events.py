"""What a person did, as support reads it, and the names of events."""

from typing import Any

import httpx2
import pytest

from tests.api.doors import AppDoors, Doors, pointers, problem
from tests.api.ingest.events import event, results, send

_AT = "2026-03-0{}T12:00:00.00000{}Z"


def did(person: str, name: str, at: str, **properties: Any) -> dict[str, Any]:
    return event(person=person, name=name, at=at, properties=properties)


def ask(app: AppDoors, path: str, **query: Any) -> httpx2.Response:
    return app.client.get(f"/v1/{path}", headers=app.server, params=query)


def listed(app: AppDoors, path: str, **query: Any) -> Any:
    answer = ask(app, path, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def busy(app: AppDoors) -> AppDoors:
    """Ada did five things, three of them at the same microsecond; bob one."""
    app.add_person("ada")
    app.add_person("bob")
    same = [did("ada", "open", _AT.format(2, 5), n=number) for number in range(3)]
    first = did("ada", "purchase", _AT.format(1, 0), amount=12.5)
    last = did("ada", "open", _AT.format(3, 1))
    events = [*same, first, last, did("bob", "purchase", _AT.format(4, 0))]
    assert {one["status"] for one in results(send(app, {"events": events}))} == {"accepted"}
    return app


def test_events_come_newest_first_and_pages_leave_none_out(busy: AppDoors) -> None:
    whole = listed(busy, "people/ada/events")["data"]
    found: list[Any] = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = listed(busy, "people/ada/events", limit=2, **more)
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert found == whole
    assert [one["at"] for one in whole] == sorted((one["at"] for one in whole), reverse=True)
    assert len({one["uuid"] for one in whole}) == 5
    assert whole[-1]["name"] == "purchase"
    assert whole[-1]["properties"] == {"amount": 12.5}


def test_events_of_one_name_are_chosen(busy: AppDoors) -> None:
    assert len(listed(busy, "people/ada/events", name="open")["data"]) == 4
    assert listed(busy, "people/ada/events", name="nothing")["data"] == []


def test_what_somebody_did_who_became_one_with_the_person_is_listed(busy: AppDoors) -> None:
    body = {"into": "ada", "from": "bob"}
    made = busy.client.post("/v1/merges", headers=busy.server, json=body)
    assert made.status_code == 201, made.text

    assert len(listed(busy, "people/bob/events")["data"]) == 6


def test_names_of_events_are_listed_in_their_order(busy: AppDoors) -> None:
    whole = [one["name"] for one in listed(busy, "event-names")["data"]]
    page = listed(busy, "event-names", limit=1)

    assert whole == ["open", "purchase"]
    assert page["next_cursor"] == "open"
    rest = listed(busy, "event-names", cursor="open")
    assert [one["name"] for one in rest["data"]] == ["purchase"]


def test_another_app_sees_nothing_of_it(busy: AppDoors, doors: Doors) -> None:
    other = doors.new_app()

    assert ask(other, "people/ada/events").status_code == 404
    assert listed(other, "event-names")["data"] == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"cursor": "x"}, "query:cursor"),
        ({"cursor": "99999999999999999999-1"}, "query:cursor"),
        ({"cursor": "1-99999999999999999999"}, "query:cursor"),
        ({"name": "\x00"}, "query:name"),
        ({"name": "n" * 101}, "query:name"),
        ({"limit": 0}, "query:limit"),
    ],
)
def test_bad_queries_are_pointed_at(app: AppDoors, query: Any, pointer: str) -> None:
    app.add_person("ada")

    answer = ask(app, "people/ada/events", **query)

    assert pointers(problem(answer, 422, "invalid_payload")).keys() == {pointer}


@pytest.mark.parametrize("cursor", ["-9999999999999999-0", "9999999999999999-1"])
def test_the_outermost_moments_are_pages_too(busy: AppDoors, cursor: str) -> None:
    assert ask(busy, "people/ada/events", cursor=cursor).status_code == 200
