"""A POST with an Idempotency-Key happens once, whatever comes twice."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx2
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from api.answers import Ready
from api.stored_answers import Once, Shelf
from core.errors import SettingsError
from core.secrets import SecretBox
from tests.api.doors import AppDoors, Doors, phone, problem


def _make_key(app: AppDoors, idempotency_key: str, name: str = "Backend") -> httpx2.Response:
    return app.client.post(
        f"{app.path}/keys",
        headers={**app.admin, "Idempotency-Key": idempotency_key},
        json={"kind": "server", "name": name, "scopes": ["people:read"]},
    )


def _made(app: AppDoors) -> list[dict[str, Any]]:
    listed = app.client.get(f"{app.path}/keys", headers=app.admin).json()["data"]
    return [key for key in listed if key["name"] == "Backend"]


def test_a_repetition_gets_the_same_answer_and_does_nothing(app: AppDoors) -> None:
    first = _make_key(app, "one")
    second = _make_key(app, "one")

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert "idempotent-replay" not in first.headers
    assert second.headers["idempotent-replay"] == "true"
    assert len(_made(app)) == 1


def test_another_body_under_the_same_key_is_a_conflict(app: AppDoors) -> None:
    _make_key(app, "one")

    problem(_make_key(app, "one", name="Other"), 409, "idempotency_key_reused")
    assert len(_made(app)) == 1


def test_keys_of_other_callers_and_routes_do_not_meet(doors: Doors, app: AppDoors) -> None:
    other = doors.new_app()
    for answer in (
        _make_key(app, "one"),
        _make_key(other, "one"),
        app.client.post(
            "/v1/devices", headers={**app.phone, "Idempotency-Key": "one"}, json=phone()
        ),
        app.client.post(
            "/v1/devices", headers={**app.server, "Idempotency-Key": "one"}, json=phone()
        ),
    ):
        assert answer.status_code == 201
        assert "idempotent-replay" not in answer.headers


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_that_is_too_long_or_unprintable_is_refused(app: AppDoors, key: str) -> None:
    problem(_make_key(app, key), 422, "idempotency_key_invalid")


def test_a_refused_request_is_not_stored(app: AppDoors) -> None:
    headers = {**app.server, "Idempotency-Key": "late"}
    body = phone(person="ada")
    problem(app.client.post("/v1/devices", headers=headers, json=body), 422, "invalid_payload")
    app.add_person("ada")

    answer = app.client.post("/v1/devices", headers=headers, json=body)

    assert answer.status_code == 201
    assert "idempotent-replay" not in answer.headers


def test_a_stored_answer_is_sealed(doors: Doors, app: AppDoors) -> None:
    secret = _make_key(app, "one").json()["secret"]

    statement = text("SELECT answer FROM idempotency WHERE app_id = :app_id")
    with doors.services.engine.connect() as connection:
        answer = bytes(connection.execute(statement, {"app_id": app.inner_id}).scalar_one())
    assert secret.encode() not in answer
    assert secret.encode() in doors.services.box.decrypt(answer)


def test_after_a_day_the_key_is_free_again(doors: Doors, app: AppDoors) -> None:
    first = _make_key(app, "one").json()
    with doors.services.engine.begin() as connection:
        statement = text("UPDATE idempotency SET created_at = created_at - interval '25 hours'")
        connection.execute(statement)

    second = _make_key(app, "one", name="Other")

    assert second.status_code == 201
    assert second.json()["id"] != first["id"]
    assert _make_key(app, "one", name="Other").headers["idempotent-replay"] == "true"


def test_twenty_at_once_make_one_key(app: AppDoors) -> None:
    start = Barrier(20)

    def attempt(_: int) -> httpx2.Response:
        start.wait(timeout=30)
        return _make_key(app, "rush")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(attempt, range(20)))

    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "idempotency_key_in_use")
            assert answer.headers["retry-after"] == "1"
        else:
            assert answer.status_code == 201
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert len(_made(app)) == 1
    assert _make_key(app, "rush").headers["idempotent-replay"] == "true"


_RANDOM = "b3d1c7f0a59e4d2c8b6f1e0d9c7a5342"


def _register(app: AppDoors, key: str, body: dict[str, Any]) -> httpx2.Response:
    headers = {**app.phone, "Idempotency-Key": key}
    return app.client.post("/v1/devices", headers=headers, json=body)


def test_a_phone_that_lost_its_answer_gets_its_secret_with_a_key_nobody_guesses(
    app: AppDoors,
) -> None:
    body = phone()

    first, second = (_register(app, _RANDOM, body) for _ in range(2))

    assert (first.status_code, first.content) == (201, second.content)
    assert second.json()["secret"]
    assert second.headers["idempotent-replay"] == "true"


def test_with_a_client_key_a_key_that_is_guessed_tells_no_secret(app: AppDoors) -> None:
    body = phone()
    guessable = _RANDOM[:-1]

    first, second = (_register(app, guessable, body) for _ in range(2))

    assert first.status_code == 201
    problem(second, 409, "device_secret_missing")
    assert first.json()["secret"] not in second.text
    problem(_register(app, " ", body), 422, "idempotency_key_invalid")


def test_phones_with_the_same_key_do_not_meet(app: AppDoors) -> None:
    answers = [_register(app, _RANDOM, phone()) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


def test_a_server_gets_its_answer_again_with_any_key(app: AppDoors) -> None:
    headers, body = {**app.server, "Idempotency-Key": "one"}, phone()

    answers = [app.client.post("/v1/devices", headers=headers, json=body) for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotent-replay"] == "true"


def test_many_phones_with_keys_are_written_together_and_each_gets_its_own_answer_again(
    doors: Doors, app: AppDoors
) -> None:
    bodies = [phone() for _ in range(24)]
    keys = [f"{_RANDOM}{number}" for number in range(24)]
    start = Barrier(24)

    def attempt(number: int) -> httpx2.Response:
        start.wait(timeout=30)
        return _register(app, keys[number], bodies[number])

    with ThreadPoolExecutor(24) as pool:
        first = list(pool.map(attempt, range(24)))
        again = list(pool.map(attempt, range(24)))

    assert [one.status_code for one in first] == [201] * 24
    assert [one.content for one in again] == [one.content for one in first]
    assert all(one.headers["idempotent-replay"] == "true" for one in again)
    assert len({one.json()["secret"] for one in first}) == 24
    statement = text(
        "SELECT count(*), count(DISTINCT xmin::text) FROM idempotency WHERE app_id = :app_id"
    )
    with doors.services.engine.connect() as connection:
        answers, transactions = connection.execute(statement, {"app_id": app.inner_id}).one()
    assert transactions < answers == 24


def test_the_same_phone_at_once_is_registered_once(app: AppDoors) -> None:
    body = phone()
    start = Barrier(12)

    def attempt(_: int) -> httpx2.Response:
        start.wait(timeout=30)
        return _register(app, _RANDOM, body)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(attempt, range(12)))

    made = {one.content for one in answers if one.status_code == 201}
    assert len(made) == 1
    for one in answers:
        if one.status_code != 201:
            problem(one, 409, "idempotency_key_in_use")
            assert one.headers["retry-after"] == "1"
    assert _register(app, _RANDOM, body).content in made


def test_what_is_refused_among_others_is_not_stored_and_they_are(app: AppDoors) -> None:
    start = Barrier(6)
    bodies = [phone(person="nobody" if number % 2 else None) for number in range(6)]

    def attempt(number: int) -> int:
        headers = {**app.server, "Idempotency-Key": f"key-{number}"}
        start.wait(timeout=30)
        answer = app.client.post("/v1/devices", headers=headers, json=bodies[number])
        return int(answer.status_code)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(attempt, range(6))) == [201, 422] * 3
    app.add_person("nobody")
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(attempt, range(6))) == [201] * 6


def test_another_body_under_the_same_key_is_refused_for_a_device_too(app: AppDoors) -> None:
    headers = {**app.server, "Idempotency-Key": "one"}
    first = app.client.post("/v1/devices", headers=headers, json=phone())

    assert first.status_code == 201
    answer = app.client.post("/v1/devices", headers=headers, json=phone())
    problem(answer, 409, "idempotency_key_reused")


def test_an_answer_that_can_not_be_opened_is_no_fault_of_others(
    doors: Doors, app: AppDoors
) -> None:
    once = [Once(bytes([number]) * 32, b"") for number in range(3)]
    lost, known = SecretBox([Fernet.generate_key().decode()]), doors.services.box
    answer = Ready(b"{}", 201, {})
    with doors.services.engine.begin() as connection:
        Shelf(lost, 24).keep(connection, app.inner_id, [(once[0], answer)])
        Shelf(known, 24).keep(connection, app.inner_id, [(once[1], answer)])

    with doors.services.engine.begin() as connection:
        found = Shelf(known, 24).take(connection, app.inner_id, once)

    assert isinstance(found[0], SettingsError)
    assert isinstance(found[1], Ready)
    assert found[2] is None
