"""What is kept of each person's reach equals what is counted anew."""

import secrets
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from core.database import open_engine
from tests.delivery.reach_steps import (
    CONSENT_STEPS,
    DEVICE,
    DEVICE_STEPS,
    PEOPLE,
    SAY,
    TARGET,
    counted,
    kept,
    run,
)

_ACTIVE = (TARGET, {"kind": "token", "state": "active"})


def _app(connection: Connection) -> int:
    made = text(
        "INSERT INTO app (public_id, name, identity_secret) VALUES (:name, 'x', '') RETURNING id"
    )
    found: int = connection.execute(made, {"name": secrets.token_hex(8)}).scalar_one()
    return found


def _give_devices(connection: Connection, app_id: int, *people: int) -> None:
    for person in people:
        values = {"person": person, "platform": "ios", "permission": "granted"}
        run(connection, app_id, DEVICE, values)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(DEVICE_STEPS, CONSENT_STEPS), min_size=3, max_size=16))
def test_it_is_equal_after_every_statement(connection: Connection, steps: Any) -> None:
    app_id = _app(connection)
    _give_devices(connection, app_id, *PEOPLE)

    for statement, values in steps:
        run(connection, app_id, statement, values)

        assert kept(connection, app_id) == counted(connection, app_id)


def test_who_said_something_is_there_without_a_device_and_who_took_it_back_is_not(
    connection: Connection,
) -> None:
    app_id = _app(connection)
    run(connection, app_id, SAY, {"people": {1, 2}, "kind": "push", "granted": False})
    run(connection, app_id, SAY, {"people": {3}, "kind": "analytics", "granted": True})
    said = kept(connection, app_id)
    run(connection, app_id, "DELETE FROM consent WHERE app_id = :app_id", {})

    assert [(row[0], row[-1]) for row in said] == [(1, False), (2, False)]
    assert kept(connection, app_id) == []


def _say_something(engine: Engine, app_id: int, step: tuple[str, dict[str, Any]]) -> None:
    with engine.begin() as connection:
        run(connection, app_id, *step)


def _said(*, granted: bool, kind: str = "push") -> tuple[str, dict[str, Any]]:
    return SAY, {"people": {1}, "kind": kind, "granted": granted}


@pytest.mark.parametrize(
    ("first", "then", "wanted"),
    [
        ((TARGET, {**_ACTIVE[1], "part": 1}), (TARGET, {**_ACTIVE[1], "part": 2}), (2, None)),
        ((TARGET, {**_ACTIVE[1], "part": 1}), _said(granted=False), (1, False)),
        (_said(granted=True), (TARGET, {**_ACTIVE[1], "part": 2}), (1, True)),
        (_said(granted=True), _said(granted=False), (0, False)),
        (_said(granted=True), ("DELETE FROM consent WHERE app_id = :app_id", {}), (0, True)),
    ],
)
def test_two_who_change_the_same_person_at_once_are_both_counted(
    fresh_database: str, first: Any, then: Any, wanted: Any
) -> None:
    engine = open_engine(fresh_database, pool_size=2)
    with engine.begin() as connection:
        app_id = _app(connection)
        _give_devices(connection, app_id, 1, 1, 1)

    with engine.begin() as connection:
        run(connection, app_id, *first)
        other = threading.Thread(target=_say_something, args=(engine, app_id, then))
        other.start()
        other.join(0.3)
        waited = other.is_alive()
    other.join(30)

    with engine.begin() as connection:
        found = kept(connection, app_id)
        assert found == counted(connection, app_id)
        assert [(row[1], row[-1]) for row in found] == [wanted]
        # Who takes back what nobody has said yet has nothing to wait for.
        assert waited is not then[0].startswith("DELETE")
    engine.dispose()
