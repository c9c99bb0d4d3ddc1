"""What every answer carries, also the one about something that broke."""

import pytest
from sqlalchemy import text

from tests.api.doors import AppDoors, Doors, open_doors, problem, settings_for

_PATHS = ["/healthz", "/docs", "/openapi.json", "/nowhere", "/v1/people"]


@pytest.mark.parametrize("path", _PATHS)
def test_every_answer_has_a_request_id_and_safe_headers(doors: Doors, path: str) -> None:
    headers = doors.client.get(path).headers

    assert len(headers["x-request-id"]) == 32
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_a_callers_request_id_is_kept_when_it_is_harmless(doors: Doors) -> None:
    def answered(request_id: str) -> str:
        return doors.client.get("/healthz", headers={"X-Request-Id": request_id}).headers[
            "x-request-id"
        ]

    assert answered("trace-1.a_b") == "trace-1.a_b"
    assert answered("two words") != "two words"
    assert answered("x" * 65) != "x" * 65


def test_what_breaks_is_a_problem_without_its_inner_life(
    fresh_database: str, redis_url: str
) -> None:
    with open_doors(settings_for(fresh_database, redis_url)) as doors:
        app = doors.new_app()
        with doors.services.engine.begin() as connection:
            connection.execute(text("ALTER TABLE person RENAME TO people_of_yore"))
        answer = doors.client.get("/v1/people", headers=app.server)

    problem(answer, 500, "internal_error")
    assert "person" not in answer.text.replace("/v1/people", "")


def test_a_secret_nobody_can_open_is_a_problem_without_the_secret(
    doors: Doors, app: AppDoors
) -> None:
    device = app.register()
    with doors.services.engine.begin() as connection:
        connection.execute(
            text("UPDATE app SET identity_secret = 'other' WHERE id = :id"), {"id": app.inner_id}
        )

    answer = app.client.post(
        f"/v1/devices/{device['id']}/bind",
        headers={**app.phone, "Carillon-Device-Secret": device["secret"]},
        json={"person": "ada", "signature": "0" * 64},
    )

    problem(answer, 500, "settings")
