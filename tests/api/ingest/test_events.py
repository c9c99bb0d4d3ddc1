"""`POST /v1/events`: what is answered is what is stored, event by event."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.clock import utc_now
from tests.api.doors import AppDoors, Doors, open_doors, pointers, problem, settings_for
from tests.api.ingest.events import event, results, send, send_raw, stored
from tests.deadlines import wait_until


def test_a_single_event_is_stored_with_its_person(doors: Doors, app: AppDoors) -> None:
    body = event(person="ada", name="signed_up", properties={"plan": "pro", "ß": [1, {"a": None}]})

    answer = send(app, body)

    assert answer.status_code == 201, answer.text
    assert answer.json() == {"uuid": body["uuid"], "status": "accepted"}
    (row,) = stored(doors, app)
    assert (row.uuid, row.name, row.person) == (body["uuid"], "signed_up", "ada")
    assert row.properties == body["properties"]
    assert row.at == datetime.fromisoformat(body["at"])


def test_a_single_event_without_a_uuid_gets_one(doors: Doors, app: AppDoors) -> None:
    answer = send(app, event(uuid=None, at=None))

    assert answer.status_code == 201
    (row,) = stored(doors, app)
    assert row.uuid == answer.json()["uuid"]
    assert utc_now() - row.at < timedelta(minutes=1)


def test_an_event_that_comes_again_is_a_duplicate(doors: Doors, app: AppDoors) -> None:
    body = event()
    send(app, body)

    again = send(app, {**body, "uuid": body["uuid"].upper()})

    assert again.status_code == 200
    assert again.json() == {"uuid": body["uuid"], "status": "duplicate"}
    assert len(stored(doors, app)) == 1


def test_a_duplicate_is_one_at_any_time_of_the_event(doors: Doors, app: AppDoors) -> None:
    body = event()
    send(app, body)

    assert send(app, {**body, "at": "2019-05-01T00:00:00Z"}).json()["status"] == "duplicate"
    assert len(stored(doors, app)) == 1


def test_both_ways_to_name_somebody_anonymous_are_one_person(doors: Doors, app: AppDoors) -> None:
    batch = [
        event(person="anonymous:7"),
        event(person=None, anonymous_id="7"),
        event(person="anonymous:7"),
    ]

    found = results(send(app, {"events": batch}))

    assert [one["status"] for one in found] == ["accepted"] * 3
    assert {row.person for row in stored(doors, app)} == {"anonymous:7"}
    assert len(stored(doors, app)) == 3


def test_an_alias_may_be_named_beside_the_anonymous_id(doors: Doors, app: AppDoors) -> None:
    app.add_person("ada")
    send(app, event(person=None, anonymous_id="7"))
    body = {"anonymous": "7", "person": "ada"}
    app.client.post("/v1/identify", headers=app.server, json=body).raise_for_status()

    batch = [event(person="anonymous:7"), event(person=None, anonymous_id="7"), event()]
    found = results(send(app, {"events": batch}))

    assert [one["status"] for one in found] == ["accepted"] * 3
    assert {row.person for row in stored(doors, app)} == {"ada"}


def test_the_same_uuid_in_another_app_is_another_event(doors: Doors, app: AppDoors) -> None:
    body = event()
    other = doors.new_app()

    assert [send(one, body).status_code for one in (app, other)] == [201, 201]


def test_a_batch_is_answered_event_by_event_in_order(doors: Doors, app: AppDoors) -> None:
    first, second = event(), event(person="bob")
    body = [first, second, event(name=None), first, event(uuid=None), event(extra=1)]

    found = results(send(app, {"events": body}))

    assert [one["status"] for one in found] == [
        "accepted", "accepted", "rejected", "duplicate", "rejected", "rejected",
    ]  # fmt: skip
    assert [one["uuid"] for one in found[:2]] == [first["uuid"], second["uuid"]]
    assert [one["reason"] for one in found[2:]] == ["missing", None, "missing", "unknown_field"]
    assert [one["errors"][0]["pointer"] for one in found if one["errors"]] == [
        "/events/2/name", "/events/4/uuid", "/events/5/extra",
    ]  # fmt: skip
    assert [row.uuid for row in stored(doors, app)] == [first["uuid"], second["uuid"]]


def test_a_batch_holds_a_thousand_and_no_more(doors: Doors, app: AppDoors) -> None:
    many = [event(person=f"p{number % 7}") for number in range(1_001)]

    refused = problem(send(app, {"events": many}), 422, "invalid_payload")
    assert pointers(refused) == {"/events": "too_long"}
    assert stored(doors, app) == []
    found = results(send(app, {"events": many[:1_000]}))
    assert {one["status"] for one in found} == {"accepted"}
    assert len(stored(doors, app)) == 1_000


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"extra": 1}, {"/extra": "unknown_field"}),
        ({"uuid": "not-a-uuid"}, {"/uuid": "invalid_value"}),
        ({"uuid": 5}, {"/uuid": "wrong_type"}),
        ({"name": ""}, {"/name": "too_short"}),
        ({"name": "x" * 101}, {"/name": "too_long"}),
        ({"name": "bell\x07"}, {"/name": "invalid_value"}),
        ({"name": "nul\0"}, {"/name": "nul_character"}),
        ({"name": ["a"]}, {"/name": "wrong_type"}),
        ({"person": ".."}, {"/person": "invalid_value"}),
        ({"person": "x" * 256}, {"/person": "too_long"}),
        ({"anonymous_id": "a1"}, {"/anonymous_id": "invalid_value"}),
        ({"at": "yesterday"}, {"/at": "invalid_value"}),
        ({"at": 1_700_000_000}, {"/at": "wrong_type"}),
        ({"at": "2099-01-01T00:00:00Z"}, {"/at": "in_the_future"}),
        ({"at": "9999-12-31T23:59:59-23:59"}, {"/at": "invalid_value"}),
        ({"at": "1969-12-31T23:59:59Z"}, {"/at": "invalid_value"}),
        ({"properties": []}, {"/properties": "wrong_type"}),
        ({"properties": {f"p{n}": n for n in range(101)}}, {"/properties": "too_long"}),
        ({"properties": {"a": "x" * 300_000}}, {"/properties": "too_long"}),
        ({"properties": {"x" * 101: 1}}, {"/properties": "too_long"}),
        ({"properties": {"": 1}}, {"/properties": "too_short"}),
        ({"properties": {"a/b": {"c": "\0"}}}, {"/properties/a~1b/c": "nul_character"}),
        ({"properties": {"n": 2**63}}, {"/properties/n": "number_out_of_range"}),
        ({"properties": {"a": [[[[[1]]]]]}}, {"/properties/a/0/0/0/0": "too_deep"}),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_stored(
    doors: Doors, app: AppDoors, change: dict[str, Any], faults: dict[str, str]
) -> None:
    document = problem(send(app, event(**change)), 422, "invalid_payload")

    assert pointers(document) == faults
    assert stored(doors, app) == []


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"events": []}, {"/events": "too_short"}),
        ({"events": {}}, {"/events": "wrong_type"}),
        ({"events": [], "extra": 1}, {"/extra": "unknown_field"}),
        ({"events": [], "sent_at": "now"}, {"/sent_at": "invalid_value"}),
        ({"name": "x", "person": "ada", "sent_at": None}, {"/sent_at": "wrong_type"}),
        ([], {"": "wrong_type"}),
        ({}, {"/name": "missing", "/person": "missing"}),
    ],
)
def test_what_is_wrong_with_a_request_is_named(
    app: AppDoors, body: Any, faults: dict[str, str]
) -> None:
    assert pointers(problem(send(app, body), 422, "invalid_payload")) == faults


def test_an_empty_body_is_missing(app: AppDoors) -> None:
    assert pointers(problem(send_raw(app, b""), 422, "invalid_payload")) == {"": "missing"}


def test_a_wrong_clock_is_corrected_by_what_it_said_at_sending(doors: Doors, app: AppDoors) -> None:
    slow = utc_now() - timedelta(days=400)
    body = event(at=(slow - timedelta(hours=1)).isoformat(), sent_at=slow.isoformat())
    fast = utc_now() + timedelta(days=4_000)
    batch = [event(at=(fast - timedelta(hours=2)).isoformat())]

    send(app, body)
    found = results(send(app, {"events": batch, "sent_at": fast.isoformat()}))

    assert found[0]["status"] == "accepted"
    first, second = stored(doors, app)
    assert timedelta(0) <= utc_now() - timedelta(hours=1) - first.at < timedelta(minutes=1)
    assert timedelta(0) <= utc_now() - timedelta(hours=2) - second.at < timedelta(minutes=1)


@pytest.mark.parametrize("sent_at", ["1971-01-01T00:00:00Z", "2100-12-31T23:59:59Z"])
def test_a_correction_that_leads_nowhere_is_refused(app: AppDoors, sent_at: str) -> None:
    at = "2100-12-30T00:00:00Z" if sent_at < "2000" else "1970-01-02T00:00:00Z"
    document = problem(send(app, event(at=at, sent_at=sent_at)), 422, "invalid_payload")

    assert list(pointers(document)) == ["/at"]


def test_late_events_lie_at_their_own_time(doors: Doors, app: AppDoors) -> None:
    moments = [
        "1970-01-01T00:00:00+00:00",
        "1997-06-30T23:59:59+00:00",
        "2008-02-29T12:00:00+01:00",
    ]

    found = results(send(app, {"events": [event(at=moment) for moment in moments]}))

    assert {one["status"] for one in found} == {"accepted"}
    rows = stored(doors, app)
    assert sorted(row.at for row in rows) == sorted(
        datetime.fromisoformat(moment).astimezone(UTC) for moment in moments
    )


def test_who_is_not_known_is_made_once(doors: Doors, app: AppDoors) -> None:
    send(app, {"events": [event(person="new"), event(person="new"), event(person="ada")]})
    send(app, event(person=None, anonymous_id="a-1"))

    assert [row.person for row in stored(doors, app)][:3] == ["new", "new", "ada"]
    people = app.client.get("/v1/people", headers=app.server).json()["data"]
    assert len(people) == 3


def test_who_refuses_analytics_has_no_events(doors: Doors, app: AppDoors) -> None:
    app.add_person("ada", consents={"analytics": False})
    app.add_person("bob", consents={"analytics": True, "push": False})
    refused = event(person="ada")

    document = problem(send(app, refused), 409, "no_consent")
    found = results(send(app, {"events": [event(person="ada"), event(person="bob")]}))

    assert "analytics" in document["detail"]
    assert [(one["status"], one["reason"]) for one in found] == [
        ("rejected", "no_consent"), ("accepted", None),
    ]  # fmt: skip
    app.add_person("ada", consents={"analytics": True})
    assert send(app, refused).status_code == 201, "a refused event must not count as known"
    assert [row.person for row in stored(doors, app)] == ["bob", "ada"]


def test_what_holds_for_those_who_said_nothing_is_a_setting_of_the_app(app: AppDoors) -> None:
    body = {"consent_defaults": {"push": True, "analytics": False}}
    app.client.patch(app.path, headers=app.admin, json=body)
    app.add_person("bob", consents={"analytics": True})

    assert send(app, event(person="ada")).status_code == 409
    assert send(app, event(person="bob")).status_code == 201


def test_an_app_uses_only_so_many_names(fresh_database: str, redis_url: str) -> None:
    settings = settings_for(fresh_database, redis_url, event_names_limit=3)
    with open_doors(settings) as doors:
        app, other = doors.new_app(), doors.new_app()
        body = {"events": [event(name=f"name{number}") for number in range(5)]}
        found = results(send(app, body))
        document = problem(send(app, event(name="one-more")), 422, "invalid_payload")
        known = send(app, event(name="name2"))
        elsewhere = send(other, event(name="one-more"))

        assert [one["status"] for one in found] == ["accepted"] * 3 + ["rejected"] * 2
        assert {one["reason"] for one in found[3:]} == {"too_many_names"}
        assert pointers(document) == {"/name": "too_many_names"}
        assert (known.status_code, elsewhere.status_code) == (201, 201)
        assert len(stored(doors, app)) == 4


def test_only_a_key_for_events_may_send_them(doors: Doors, app: AppDoors) -> None:
    for key in (app.phone, doors.new_key(app.inner_id, "server", ["people:write"])):
        answer = app.client.post("/v1/events", headers=key, json=event())
        assert "`events:write`" in problem(answer, 403, "forbidden_scope")["detail"]
    problem(app.client.post("/v1/events", json=event()), 401, "token_missing")
    assert stored(doors, app) == []


def test_a_revoked_key_is_soon_refused(doors: Doors, app: AppDoors) -> None:
    key = doors.new_key(app.inner_id, "server", ["events:write"])
    assert app.client.post("/v1/events", headers=key, json=event()).status_code == 201
    with doors.services.engine.begin() as connection:
        statement = text("UPDATE api_key SET revoked_at = now() WHERE app_id = :app_id")
        connection.execute(statement, {"app_id": app.inner_id})

    def is_refused() -> bool:
        return app.client.post("/v1/events", headers=key, json=event()).status_code == 401

    wait_until(is_refused, 10, "the key is refused")


def test_a_long_answer_is_packed_for_who_can_unpack_it(app: AppDoors) -> None:
    body = {"events": [event() for _ in range(100)]}

    packed = app.client.post(
        "/v1/events", headers={**app.server, "Accept-Encoding": "gzip"}, json=body
    )
    plain = app.client.post(
        "/v1/events", headers={**app.server, "Accept-Encoding": "identity"}, json=body
    )

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in plain.headers["vary"].lower()
    assert {one["status"] for one in results(packed)} == {"accepted"}
    assert {one["status"] for one in results(plain)} == {"duplicate"}


def test_the_two_ways_to_the_door_answer_alike(doors: Doors, app: AppDoors) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = app.client.request(method, "/v1/events", headers=app.server)
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "OPTIONS, POST"
    query = app.client.post("/v1/events?limit=1", headers=app.server, json=event())
    assert pointers(problem(query, 422, "invalid_payload")) == {"query:limit": "unknown_field"}
    assert uuid.UUID(query.headers["x-request-id"])


def test_whoever_is_anonymous_in_an_event_can_be_identified(app: AppDoors) -> None:
    refused = send(app, event(person=None, anonymous_id="x" * 201))
    taken = send(app, event(person=None, anonymous_id="x" * 200))
    who = {"anonymous": "x" * 200, "person": "ada"}
    identified = app.client.post("/v1/identify", headers=app.server, json=who)

    assert pointers(problem(refused, 422, "invalid_payload")) == {"/anonymous_id": "too_long"}
    assert taken.status_code == 201
    assert identified.json()["outcome"] == "named"
