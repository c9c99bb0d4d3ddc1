"""Who is who, over HTTP: names, sign-ins, merges and what refuses them."""

import json
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from core.clock import utc_now
from tests.api.doors import AppDoors, Doors, phone, pointers, problem


def _post(app: AppDoors, path: str, body: Any, **headers: str) -> httpx2.Response:
    return app.client.post(f"/v1/{path}", headers={**app.server, **headers}, json=body)


def _get(app: AppDoors, path: str) -> Any:
    answer = app.client.get(f"/v1/{path}", headers=app.server)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def pair(app: AppDoors) -> AppDoors:
    """An app with ada and bob, each with a device."""
    app.add_person("ada", attributes={"plan": "free"}, locale="en")
    app.add_person("bob", attributes={"size": "L"})
    for name in ("ada", "bob"):
        answer = _post(app, "devices", phone(person=name))
        assert answer.status_code == 201
    return app


def test_an_alias_leads_to_the_person_everywhere(pair: AppDoors) -> None:
    made = _post(pair, "aliases", {"person": "ada", "alias": "ada@example.com"})
    again = _post(pair, "aliases", {"person": "ada@example.com", "alias": "ada@example.com"})

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json() == {"person": "ada", "alias": "ada@example.com"}
    assert _get(pair, "people/ada@example.com")["external_id"] == "ada"
    assert len(_get(pair, "devices?person=ada@example.com")["data"]) == 1
    assert _get(pair, "people/ada/aliases") == {
        "external_id": "ada",
        "aliases": ["ada@example.com"],
    }
    put = pair.client.put(
        "/v1/people/ada@example.com", headers=pair.server, json={"attributes": {"new": 1}}
    )
    assert (put.status_code, put.json()["external_id"]) == (200, "ada")
    sent = _post(
        pair, "messages", {"to": {"people": ["ada@example.com"]}, "content": {"title": "Hi"}}
    )
    assert sent.json()["targeted"] == 1
    assert _get(pair, "people/ada@example.com/messages")["data"][0]["message"] == sent.json()["id"]


def test_two_become_one_and_two_again(pair: AppDoors) -> None:
    before = {name: _get(pair, f"people/{name}") for name in ("ada", "bob")}
    sent = _post(pair, "messages", {"to": {"people": ["bob"]}, "content": {"title": "Hi"}}).json()
    made = _post(pair, "merges", {"into": "ada", "from": "bob"})
    merge = made.json()

    assert made.status_code == 201
    assert (merge["into"], merge["from"], merge["names"]) == ("ada", "bob", ["bob"])
    assert merge["moved"] == {"devices": 1, "events": 0, "consents": 0}
    assert merge["changed"] == {"size": {"before": None, "after": "L"}}
    assert _get(pair, "people/bob")["attributes"] == {"plan": "free", "size": "L"}
    assert len(_get(pair, "devices?person=ada")["data"]) == 2
    # What bob was sent is found with ada, in each list and by each name.
    for name in ("ada", "bob"):
        assert [one["message"] for one in _get(pair, f"people/{name}/messages")["data"]] == [
            sent["id"]
        ]
        listed = _get(pair, f"deliveries?person={name}")["data"]
        assert [one["person"] for one in listed] == ["ada"]
    assert _get(pair, f"messages/{sent['id']}/deliveries")["data"][0]["person"] == "ada"

    undone = _post(pair, f"merges/{merge['id']}/undo", None)
    assert undone.status_code == 200
    assert undone.json()["undone_at"] is not None
    after = {name: _get(pair, f"people/{name}") for name in ("ada", "bob")}
    for name, person in before.items():
        assert {**after[name], "updated_at": 0} == {**person, "updated_at": 0}
    assert _get(pair, f"merges/{merge['id']}") == undone.json()
    assert _get(pair, "merges?person=ada")["data"] == [undone.json()]
    assert _post(pair, f"merges/{merge['id']}/undo", None).json() == undone.json()


def test_a_merge_is_done_once(pair: AppDoors) -> None:
    first = _post(pair, "merges", {"into": "ada", "from": "bob"})
    again = _post(pair, "merges", {"into": "ada", "from": "bob"})
    turned = _post(pair, "merges", {"into": "bob", "from": "ada"})

    assert (again.status_code, turned.status_code) == (200, 200)
    assert first.json() == again.json() == turned.json()


def test_the_same_key_gives_the_same_answer(pair: AppDoors) -> None:
    once = {"Idempotency-Key": "merge-1"}
    first = _post(pair, "merges", {"into": "ada", "from": "bob"}, **once)
    again = _post(pair, "merges", {"into": "ada", "from": "bob"}, **once)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotent-replay"] == "true"


def test_who_signs_in_becomes_known(pair: AppDoors) -> None:
    pair.add_person("anonymous:7f", attributes={"cart": 2})
    named = _post(pair, "identify", {"anonymous": "7f", "person": "eve"}).json()
    pair.add_person("anonymous:8f", attributes={"cart": 3})
    merged = _post(pair, "identify", {"anonymous": "8f", "person": "eve"}).json()
    again = _post(pair, "identify", {"anonymous": "8f", "person": "eve"}).json()

    assert named == {"person": "eve", "outcome": "named", "merge": None}
    assert (merged["person"], merged["outcome"]) == ("eve", "merged")
    assert again == {"person": "eve", "outcome": "unchanged", "merge": None}
    assert _get(pair, "people/eve/aliases")["aliases"] == ["anonymous:7f", "anonymous:8f"]
    assert _get(pair, "people/eve")["attributes"] == {"cart": 3}
    refused = _post(pair, "identify", {"anonymous": "8f", "person": "ada"})
    problem(refused, 409, "already_identified")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"into": "ada", "from": "ada"}, "same_person"),
        ({"into": "ada", "from": "lovelace"}, "same_person"),
    ],
)
def test_nobody_is_merged_with_themselves(pair: AppDoors, body: Any, code: str) -> None:
    _post(pair, "aliases", {"person": "ada", "alias": "lovelace"})
    problem(_post(pair, "merges", body), 409, code)


def test_refusals_say_why(pair: AppDoors) -> None:
    problem(_post(pair, "aliases", {"person": "ada", "alias": "bob"}), 409, "alias_taken")
    merge = _post(pair, "merges", {"into": "ada", "from": "bob"}).json()
    pair.add_person("cyd")
    _post(pair, "merges", {"into": "ada", "from": "cyd"})
    problem(_post(pair, f"merges/{merge['id']}/undo", None), 409, "undo_out_of_order")
    problem(_post(pair, "merges/mrg_none/undo", None), 404, "merge_not_found")
    for name in ("ada", "bob"):
        path = f"/v1/aliases/{name}"
        problem(pair.client.delete(path, headers=pair.server), 409, "split_refused")
    nobody = pair.client.delete("/v1/aliases/nobody", headers=pair.server)
    problem(nobody, 404, "alias_not_found")


def test_an_old_merge_is_not_undone(pair: AppDoors, doors: Doors) -> None:
    merge = _post(pair, "merges", {"into": "ada", "from": "bob"}).json()
    with doors.services.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE person_merge SET merged_at = now() - interval '25 h' WHERE public_id = :id"
            ),
            {"id": merge["id"]},
        )
    problem(_post(pair, f"merges/{merge['id']}/undo", None), 409, "undo_expired")


def test_an_alias_that_joined_nothing_can_go(pair: AppDoors) -> None:
    _post(pair, "aliases", {"person": "ada", "alias": "a/b lovelace"})
    answer = pair.client.delete("/v1/aliases/a%2Fb%20lovelace", headers=pair.server)

    assert answer.status_code == 204
    assert _get(pair, "people/ada/aliases")["aliases"] == []


@pytest.mark.parametrize("name", ["", ".", "..", "a\u0000b", "a\nb", "\ud800", "x" * 256, 5, None])
def test_names_that_can_not_be_are_refused(pair: AppDoors, name: Any) -> None:
    for path, body in (
        ("aliases", {"person": "ada", "alias": name}),
        ("merges", {"into": "ada", "from": name}),
        ("identify", {"anonymous": "x", "person": name}),
    ):
        answer = pair.client.post(
            f"/v1/{path}",
            headers={**pair.server, "Content-Type": "application/json"},
            content=httpx2_json(body),
        )
        assert answer.status_code == 422, answer.text
        assert set(pointers(answer.json())) == {f"/{list(body)[1]}"}


def httpx2_json(body: Any) -> bytes:
    """Return JSON with halves of characters as escapes, which a client refuses to send."""
    return json.dumps(body).encode()


def test_odd_names_are_names(pair: AppDoors) -> None:
    for name in ("Zoë 🎉", "a\u202eb", "İ", "e\u0301", "\u00e9", "a b/c?d#e%f"):
        assert _post(pair, "aliases", {"person": "ada", "alias": name}).status_code == 201
    assert len(_get(pair, "people/ada/aliases")["aliases"]) == 6


def test_unknown_people_are_pointed_at(pair: AppDoors) -> None:
    for path, body, pointer in (
        ("aliases", {"person": "nobody", "alias": "x"}, "/person"),
        ("merges", {"into": "nobody", "from": "bob"}, "/into"),
        ("merges", {"into": "ada", "from": "nobody"}, "/from"),
    ):
        found = problem(_post(pair, path, body), 422, "invalid_payload")
        assert pointers(found) == {pointer: "unknown_person"}


def test_apps_know_nothing_of_each_other(pair: AppDoors, doors: Doors) -> None:
    other = doors.new_app()
    other.add_person("eve")
    merge = _post(pair, "merges", {"into": "ada", "from": "bob"}).json()

    found = problem(_post(pair, "merges", {"into": "ada", "from": "eve"}), 422, "invalid_payload")
    assert pointers(found) == {"/from": "unknown_person"}
    assert _post(other, "aliases", {"person": "eve", "alias": "ada"}).status_code == 201
    for method, path in (
        ("GET", f"merges/{merge['id']}"),
        ("POST", f"merges/{merge['id']}/undo"),
        ("DELETE", "aliases/bob"),
        ("GET", "merges?person=bob"),
        ("GET", "people/bob/history"),
        ("GET", "people/bob/aliases"),
    ):
        answer = other.client.request(method, f"/v1/{path}", headers=other.server)
        assert answer.status_code == 404, (path, answer.text)


def test_scopes_are_needed(pair: AppDoors, doors: Doors) -> None:
    reader = doors.new_key(pair.inner_id, "server", ["people:read"])
    writer = doors.new_key(pair.inner_id, "server", ["people:write"])
    for path, body in (
        ("aliases", {"person": "ada", "alias": "x"}),
        ("identify", {"anonymous": "x", "person": "ada"}),
        ("merges", {"into": "ada", "from": "bob"}),
        ("merges/mrg_x/undo", None),
    ):
        for key in (reader, pair.phone):
            answer = pair.client.post(f"/v1/{path}", headers=key, json=body)
            problem(answer, 403, "forbidden_scope")
    for path in ("people/ada/history", "people/ada/aliases", "merges?person=ada", "attributes"):
        problem(pair.client.get(f"/v1/{path}", headers=writer), 403, "forbidden_scope")


def test_identity_is_in_the_audit_log(pair: AppDoors, doors: Doors) -> None:
    _post(pair, "aliases", {"person": "ada", "alias": "lovelace"})
    _post(pair, "identify", {"anonymous": "x", "person": "ada"})
    pair.client.delete("/v1/aliases/lovelace", headers=pair.server)
    merge = _post(pair, "merges", {"into": "ada", "from": "bob"}).json()
    _post(pair, "merges", {"into": "ada", "from": "bob"})
    for _ in range(2):
        _post(pair, f"merges/{merge['id']}/undo", None)
    with doors.services.engine.connect() as connection:
        found = connection.execute(
            text("SELECT action FROM audit WHERE app_id = :app AND subject = 'ada' ORDER BY id"),
            {"app": pair.inner_id},
        )
        assert list(found.scalars()) == [
            "alias.added", "person.identified", "alias.removed", "person.merged",
            "person.merge_undone",
        ]  # fmt: skip


def test_history_is_turned_page_by_page(pair: AppDoors) -> None:
    for number in range(5):
        pair.add_person("ada", attributes={"n": number})
    pair.add_person("ada", locale=None)
    first = _get(pair, "people/ada/history?limit=4")
    rest = _get(pair, f"people/ada/history?limit=4&cursor={first['next_cursor']}")

    assert first["data"][0]["fields"] == {"locale": {"before": "en", "after": None}}
    assert [one["attributes"] for one in first["data"][1:] + rest["data"]] == [
        {"n": {"before": number - 1 if number else None, "after": number}}
        for number in reversed(range(5))
    ]
    assert rest["next_cursor"] is None
    assert first["created_at"] < utc_now().isoformat()
