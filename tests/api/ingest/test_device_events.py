"""Events that phones send: with the client key, for whom the device belongs to and nobody else."""

import hashlib
import hmac
from typing import Any

import httpx2
import pytest

from tests.api.doors import AppDoors, Doors, phone, pointers, problem
from tests.api.ingest.events import event, results, stored


def tell(app: AppDoors, device: dict[str, Any], body: Any, **headers: str) -> httpx2.Response:
    """Post as the phone does."""
    shown = {"Carillon-Device": device["id"], "Carillon-Device-Secret": device["secret"]}
    given = {**app.phone, **shown, **headers}
    given = {name: value for name, value in given.items() if value}
    return app.client.post("/v1/events", headers=given, json=body)


def bind(app: AppDoors, device: dict[str, Any], person: str) -> None:
    body = {"person": person}
    path = f"/v1/devices/{device['id']}/bind"
    app.client.post(path, headers=app.server, json=body).raise_for_status()


@pytest.fixture
def ada(app: AppDoors) -> dict[str, Any]:
    """The phone of ada, who is called `lovelace`, too; there is also bob."""
    app.add_person("ada")
    app.add_person("bob")
    body = {"person": "ada", "alias": "lovelace"}
    app.client.post("/v1/aliases", headers=app.server, json=body).raise_for_status()
    device = app.register()
    bind(app, device, "ada")
    return device


def people(doors: Doors, app: AppDoors) -> list[str]:
    return [row.person for row in stored(doors, app)]


def test_who_is_not_named_is_the_owner(doors: Doors, app: AppDoors, ada: dict[str, Any]) -> None:
    answer = tell(app, ada, event(person=None))

    assert answer.status_code == 201, answer.text
    assert people(doors, app) == ["ada"]


@pytest.mark.parametrize("name", ["ada", "lovelace"])
def test_the_owner_may_be_named_by_any_name(
    doors: Doors, app: AppDoors, ada: dict[str, Any], name: str
) -> None:
    assert tell(app, ada, event(person=name)).status_code == 201
    assert people(doors, app) == ["ada"]


@pytest.mark.parametrize(
    "whom", [{"person": "bob"}, {"person": "nobody"}, {"person": None, "anonymous_id": "7"}]
)
def test_anybody_else_is_refused_and_not_made(
    doors: Doors, app: AppDoors, ada: dict[str, Any], whom: dict[str, Any]
) -> None:
    faults = pointers(problem(tell(app, ada, event(**whom)), 422, "invalid_payload"))

    assert faults == {"": "foreign_person"}
    assert people(doors, app) == []
    listed = app.client.get("/v1/people", headers=app.server).json()["data"]
    assert {one["external_id"] for one in listed} == {"ada", "bob"}


def test_in_a_batch_only_what_is_about_others_is_refused(
    doors: Doors, app: AppDoors, ada: dict[str, Any]
) -> None:
    first = event(person=None)
    batch = [first, event(person="bob"), event(person="lovelace"), first, event(name="")]

    found = results(tell(app, ada, {"events": batch}))

    statuses = ["accepted", "rejected", "accepted", "duplicate", "rejected"]
    assert [one["status"] for one in found] == statuses
    assert (found[1]["reason"], found[4]["reason"]) == ("foreign_person", "too_short")
    assert people(doors, app) == ["ada", "ada"]


def test_a_phone_that_nobody_has_signed_in_on_speaks_for_somebody_of_its_own_name(
    doors: Doors, app: AppDoors
) -> None:
    app.add_person("ada")
    device = app.register()
    own = f"anonymous:{device['id']}"

    batch = [
        event(person=None),
        event(person=None, anonymous_id=device["id"]),
        event(person="ada"),
        event(person=None, anonymous_id="7"),
    ]
    found = results(tell(app, device, {"events": batch}))
    body = {"anonymous": device["id"], "person": "ada"}
    app.client.post("/v1/identify", headers=app.server, json=body).raise_for_status()

    assert [one["status"] for one in found] == ["accepted", "accepted", "rejected", "rejected"]
    assert own not in people(doors, app)
    # Signing in takes along what came before.
    assert people(doors, app) == ["ada", "ada"]


def test_a_new_owner_is_spoken_for_from_then_on(
    doors: Doors, app: AppDoors, ada: dict[str, Any]
) -> None:
    tell(app, ada, event(person=None)).raise_for_status()
    bind(app, ada, "bob")

    tell(app, ada, event(person=None)).raise_for_status()

    assert people(doors, app) == ["ada", "bob"]
    problem(tell(app, ada, event(person="ada")), 422, "invalid_payload")


def test_the_refusal_of_the_owner_holds(app: AppDoors, ada: dict[str, Any]) -> None:
    app.add_person("ada", consents={"analytics": False})

    problem(tell(app, ada, event(person=None)), 409, "no_consent")


@pytest.mark.parametrize(
    ("headers", "end"),
    [
        ({"Carillon-Device-Secret": ""}, (409, "device_secret_missing")),
        ({"Carillon-Device-Secret": "guessed"}, (403, "device_secret_invalid")),
        ({"Carillon-Device-Secret": "x" * 201}, (422, "invalid_payload")),
        ({"Carillon-Device": ""}, (403, "forbidden_scope")),
        ({"Carillon-Device": "dev_nobody"}, (404, "not_found")),
        ({"Carillon-Device": "d" * 65}, (404, "not_found")),
    ],
)
def test_what_is_not_shown_opens_nothing(
    doors: Doors,
    app: AppDoors,
    ada: dict[str, Any],
    headers: dict[str, str],
    end: tuple[int, str],
) -> None:
    problem(tell(app, ada, event(person=None), **headers), *end)
    assert people(doors, app) == []


def test_the_secret_of_another_device_opens_nothing(app: AppDoors, ada: dict[str, Any]) -> None:
    other = app.register()

    answer = tell(app, {"id": ada["id"], "secret": other["secret"]}, event(person=None))

    problem(answer, 403, "device_secret_invalid")


def test_a_device_of_another_app_is_not_there(
    doors: Doors, app: AppDoors, ada: dict[str, Any]
) -> None:
    other = doors.new_app()

    problem(tell(other, ada, event(person=None)), 404, "not_found")


def test_a_server_key_still_names_whom_it_means(app: AppDoors, ada: dict[str, Any]) -> None:
    headers = {**app.server, "Carillon-Device": ada["id"], "Carillon-Device-Secret": ada["secret"]}
    answer = app.client.post("/v1/events", headers=headers, json=event(person=None))

    assert pointers(problem(answer, 422, "invalid_payload")) == {"/person": "missing"}


@pytest.mark.parametrize(
    ("role", "ends"),
    [
        (("admin", ["admin"]), [201, 422]),
        (("server", ["events:write"]), [201, 422]),
        (("server", ["devices:write", "people:write"]), [403, 403]),
        (("client", []), [422, 201]),
    ],
)
def test_each_role_may_do_its_part(
    doors: Doors, app: AppDoors, ada: dict[str, Any], role: tuple[str, list[str]], ends: list[int]
) -> None:
    """Naming another person, and naming nobody."""
    key = doors.new_key(app.inner_id, *role)

    answers = [tell(app, ada, event(person=person), **key) for person in ("bob", None)]

    assert [one.status_code for one in answers] == ends


def test_a_phone_that_binds_itself_by_signature_speaks_for_its_owner(
    doors: Doors, app: AppDoors
) -> None:
    app.add_person("ada")
    signed = f"{app.id}:ada".encode()
    signature = hmac.new(app.identity_secret.encode(), signed, hashlib.sha256).hexdigest()
    body = phone(person="ada", signature=signature)
    device = app.client.post("/v1/devices", headers=app.phone, json=body).json()

    assert tell(app, device, event(person=None)).status_code == 201
    assert people(doors, app) == ["ada"]
