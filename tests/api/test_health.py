"""Readiness says what is not ready, and in words."""

import httpx2
from sqlalchemy import text

from tests.api.doors import Doors, open_doors, settings_for


def _checks(answer: httpx2.Response) -> dict[str, tuple[str, str]]:
    return {check["name"]: (check["state"], check["words"]) for check in answer.json()["checks"]}


def test_with_everything_there_it_is_ready(doors: Doors) -> None:
    answer = doors.client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["state"] == "ready"
    assert {state for state, _ in _checks(answer).values()} == {"ok"}


def test_without_redis_and_broker_it_is_degraded_but_serves(database_url: str) -> None:
    with open_doors(settings_for(database_url, "redis://127.0.0.1:1/0")) as doors:
        app = doors.new_app()
        answer = doors.client.get("/readyz")
        put = doors.client.put("/v1/people/ada", headers=app.server, json={})

    assert answer.status_code == 200
    assert answer.json()["state"] == "degraded"
    assert _checks(answer)["redis"][0] == "degraded"
    assert "workers look" in _checks(answer)["broker"][1]
    assert put.status_code == 201


def test_an_old_schema_is_not_ready_and_names_the_cure(fresh_database: str, redis_url: str) -> None:
    with open_doors(settings_for(fresh_database, redis_url)) as doors:
        with doors.services.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        old = doors.client.get("/readyz")
        with doors.services.engine.begin() as connection:
            connection.execute(text("DROP TABLE alembic_version"))
        empty = doors.client.get("/readyz")

    for answer, present in ((old, "0000"), (empty, "empty")):
        assert answer.status_code == 503
        assert answer.json()["state"] == "not_ready"
        words = _checks(answer)["database"][1]
        assert present in words
        assert "./carillon migrate" in words
