"""Uploads that are not let in: too large, or too many of one app."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.imports.duty import ImportDuty
from core.settings import Settings
from tests.api.doors import AppDoors, Doors, open_doors, problem, settings_for

_LIMIT = 50_000
_PATH = "/v1/imports?kind=people"


@pytest.fixture
def settings(fresh_database: str, redis_url: str, tmp_path: Path) -> Settings:
    return settings_for(
        fresh_database,
        redis_url,
        state_dir=tmp_path,
        import_max_bytes=_LIMIT,
        import_max_waiting=3,
        import_max_waiting_bytes=60_000,
    )


@pytest.fixture
def here(settings: Settings) -> Any:
    with open_doors(settings) as doors:
        yield doors


@pytest.fixture
def app(here: Doors) -> AppDoors:
    return here.new_app()


def upload(
    app: AppDoors, data: bytes = b"external_id\nu1\n", key: str | None = None
) -> httpx2.Response:
    given = {**app.server, "Content-Type": "text/csv"}
    if key is not None:
        given["Idempotency-Key"] = key
    return app.client.post(_PATH, headers=given, content=data)


def watched(doors: Doors) -> tuple[Any, list[Message]]:
    """Return a client of the doors, and what they read of bodies."""
    inner, taken = doors.client.app, list[Message]()

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        async def noted() -> Message:
            message = await receive()
            taken.append(message)
            return message

        await inner(scope, noted, send)

    return type(doors.client)(watching), taken


def stored(here: Doors) -> list[Path]:
    folder = here.services.settings.state_dir / "imports"
    return list(folder.iterdir()) if folder.is_dir() else []


def has_read(taken: list[Message]) -> bool:
    return any(message["type"] == "http.request" for message in taken)


@pytest.mark.parametrize(
    ("size", "status", "code"),
    [
        (str(_LIMIT + 1), 413, "body_too_large"),
        ("9" * 40, 413, "body_too_large"),
        ("12x", 400, "bad_request"),
    ],
)
def test_a_length_over_the_limit_is_refused_before_a_byte_is_read(
    here: Doors, app: AppDoors, size: str, status: int, code: str
) -> None:
    client, taken = watched(here)
    headers = {**app.server, "Content-Type": "text/csv", "Content-Length": size}

    answer = client.post(_PATH, headers=headers, content=b"external_id\nu1\n")

    problem(answer, status, code)
    assert not has_read(taken)
    assert stored(here) == []


def test_a_form_may_say_some_more_around_its_file(here: Doors, app: AppDoors) -> None:
    client, taken = watched(here)
    data = b"external_id\n" + b"u1\n" * ((_LIMIT - 12) // 3)

    larger = client.post(_PATH, headers=app.server, files={"file": ("a.csv", data + b"u1\n" * 9)})
    fits = client.post(_PATH, headers=app.server, files={"file": ("a.csv", data)})

    assert fits.status_code == 202
    problem(larger, 413, "body_too_large")
    assert has_read(taken)


def test_no_more_uploads_of_an_app_wait_than_may(here: Doors, app: AppDoors) -> None:
    stranger = here.new_app()
    for _ in range(3):
        assert upload(app).status_code == 202
    client, taken = watched(here)

    refused = client.post(_PATH, headers=app.server, content=b"external_id\nu1\n")

    document = problem(refused, 429, "too_many_waiting")
    assert "3 imports of this app wait already" in document["detail"]
    assert refused.headers["retry-after"] == "60"
    assert not has_read(taken)
    assert len(stored(here)) == 3
    assert upload(stranger).status_code == 202
    ImportDuty(here.services.settings, here.services.engine).run(lambda: False)
    assert upload(app).status_code == 202


def test_no_larger_uploads_of_an_app_wait_together_than_may(here: Doors, app: AppDoors) -> None:
    data = b"external_id\n" + b"u1\n" * 12_000

    def pieces() -> Any:
        yield data

    assert upload(app, data).status_code == 202
    problem(upload(app, data), 429, "too_many_waiting")
    problem(app.client.post(_PATH, headers=app.server, content=pieces()), 429, "too_many_waiting")

    assert len(stored(here)) == 1
    assert upload(app).status_code == 202


def test_a_repetition_under_its_key_needs_no_room(app: AppDoors) -> None:
    first = upload(app, key="once")
    for _ in range(2):
        upload(app)

    again = upload(app, key="once")
    other = upload(app, key="another")

    assert again.json() == first.json()
    assert again.status_code == 202
    problem(other, 429, "too_many_waiting")


def test_uploads_that_come_at_once_are_counted_one_by_one(here: Doors, app: AppDoors) -> None:
    def knock(_number: int) -> int:
        return upload(app, key=f"key-{_number}").status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(knock, range(8)))

    assert sorted(statuses) == [202] * 3 + [429] * 5
    assert len(stored(here)) == 3


@pytest.mark.parametrize("name", [".", ".."])
def test_names_that_vanish_from_paths_are_bad_lines(here: Doors, app: AppDoors, name: str) -> None:
    made = upload(app, f"external_id\n{name}\n.a\n".encode()).json()

    ImportDuty(here.services.settings, here.services.engine).run(lambda: False)

    done = app.client.get(f"/v1/imports/{made['id']}", headers=app.server).json()
    assert (done["created"], done["failed"]) == (1, 1)
