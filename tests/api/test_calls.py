"""A 2xx is committed; a database that is away is a 503, and nothing is half-written."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg import errors as postgres
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError
from starlette.types import Message, Receive, Scope, Send

from api.answers import Answer
from api.calls import Call
from api.principal import Principal
from tests.api.doors import AppDoors, Doors, bearer, open_doors, phone, problem, settings_for


def test_what_was_answered_is_committed_when_the_status_goes_out(
    doors: Doors, app: AppDoors
) -> None:
    seen: list[int] = []
    statement = text("SELECT count(*) FROM person WHERE app_id = :app_id")
    inner = doors.client.app

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        async def look_first(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Another connection sees only what is committed.
                with doors.services.engine.connect() as connection:
                    seen.append(connection.scalar(statement, {"app_id": app.inner_id}) or 0)
            await send(message)

        await inner(scope, receive, look_first)

    client = type(doors.client)(watching)
    answer = client.put("/v1/people/ada", headers=app.server, json={})

    assert answer.status_code == 201
    assert seen == [1]


@contextmanager
def _nobody_listens() -> Iterator[int]:
    """Yield a port that is taken but answers nobody."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_without_a_database_every_route_says_503(redis_url: str) -> None:
    with _nobody_listens() as port:
        url = f"postgresql://nobody@127.0.0.1:{port}/none"
        with open_doors(settings_for(url, redis_url)) as doors:
            key = bearer("ck_live_" + "x" * 43)
            for answer in (
                doors.client.get("/v1/people", headers=key),
                doors.client.post("/v1/devices", headers=key, json=phone()),
                doors.client.put("/v1/people/ada", headers=key, json={}),
            ):
                problem(answer, 503, "unavailable")
                assert answer.headers["retry-after"] == "5"
                assert "Nothing was changed" in answer.json()["detail"]
            assert doors.client.get("/healthz").status_code == 200
            ready = doors.client.get("/readyz")

    assert ready.status_code == 503
    states = {check["name"]: check["state"] for check in ready.json()["checks"]}
    assert states == {"database": "failed", "redis": "ok", "broker": "ok"}


def test_an_exhausted_pool_is_a_503(database_url: str, redis_url: str) -> None:
    settings = settings_for(
        database_url, redis_url, database_pool_size=1, database_pool_timeout_seconds=0.1
    )
    with open_doors(settings) as doors:
        app = doors.new_app()
        with doors.services.engine.connect():
            answer = doors.client.get("/v1/people", headers=app.server)
        recovered = doors.client.get("/v1/people", headers=app.server)

    problem(answer, 503, "unavailable")
    assert recovered.status_code == 200


def test_a_database_that_dies_between_two_requests_is_found_again(
    doors: Doors, app: AppDoors, database_url: str
) -> None:
    assert doors.client.get("/v1/people", headers=app.server).status_code == 200
    engine = create_engine(doors.services.engine.url)
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()

    assert doors.client.get("/v1/people", headers=app.server).status_code == 200


def _call(doors: Doors) -> Call:
    principal = Principal("admin", 0, "key_test", frozenset({"admin", "operator"}), None)
    return Call(doors.services, principal, "TEST", None, b"")


def test_a_transaction_that_collides_runs_again(doors: Doors) -> None:
    runs = 0

    def work(connection: Connection) -> int:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise IntegrityError("", None, postgres.UniqueViolation())
        return runs

    assert _call(doors).transact(work) == 3


def test_a_transaction_that_always_collides_gives_up(doors: Doors) -> None:
    def work(connection: Connection) -> int:
        raise IntegrityError("", None, postgres.DeadlockDetected())

    with pytest.raises(IntegrityError):
        _call(doors).transact(work)


def test_what_is_broken_otherwise_runs_once(doors: Doors) -> None:
    runs: list[int] = []

    def work(connection: Connection) -> Answer:
        runs.append(1)
        raise IntegrityError("", None, postgres.CheckViolation())

    with pytest.raises(IntegrityError):
        _call(doors).answer(work)
    assert len(runs) == 1
