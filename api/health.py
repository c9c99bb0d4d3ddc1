"""Is this process alive, and can it serve? Public: a load balancer has no key."""

from collections.abc import Callable
from threading import Thread
from typing import Literal

from fastapi import APIRouter, Request
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from api import repository
from api.answers import Answer, respond
from api.context import Services
from api.fields import Document
from api.openapi import answers
from api.schema_version import newest_version

router = APIRouter(tags=["Health"])
_DATABASE_SECONDS = 3.0
_EXAMPLE = {"state": "ready", "checks": [{"name": "database", "state": "ok", "words": "answers"}]}


class Alive(Document):
    """The process answers."""

    state: Literal["alive"] = "alive"


class Check(Document):
    """One thing this process needs."""

    name: str
    state: Literal["ok", "degraded", "failed"]
    words: str


class Readiness(Document):
    """`ready`; `degraded` when work is accepted but may start late; `not_ready`."""

    state: Literal["ready", "degraded", "not_ready"]
    checks: list[Check]


@router.get("/healthz", response_model=Alive, responses=answers({"state": "alive"}))
async def healthz() -> Response:
    """Say that the process is alive. It asks nobody else, and needs no free thread."""
    return respond(Answer(Alive()))


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={
        **answers(_EXAMPLE, description="Ready, or degraded"),
        503: {"model": Readiness, "description": "Not ready"},
    },
)
def readyz(request: Request) -> Response:
    """Say what works and what does not, in words.

    503 only when the database is away or its schema is old. Without Redis or the broker, writes
    are accepted and sending goes on, only later or slower: `degraded`.
    """
    services: Services = request.app.state.services
    checks = [
        _check("database", _database, services, "failed"),
        _check("redis", _redis, services, "degraded"),
        _check("broker", _broker, services, "degraded"),
    ]
    states = {check.state for check in checks}
    if "failed" in states:
        return respond(Answer(Readiness(state="not_ready", checks=checks), status=503))
    state: Literal["ready", "degraded"] = "degraded" if "degraded" in states else "ready"
    return respond(Answer(Readiness(state=state, checks=checks)))


def _check(
    name: str,
    look: Callable[[Services], str | None],
    services: Services,
    otherwise: Literal["degraded", "failed"],
) -> Check:
    fault = look(services)
    return Check(name=name, state=otherwise if fault else "ok", words=fault or "answers")


def _database(services: Services) -> str | None:
    # A frozen server answers nothing at all: whoever asks for readiness is not kept waiting.
    faults: list[str | None] = []
    asking = Thread(target=lambda: faults.append(_ask_database(services)), daemon=True)
    asking.start()
    asking.join(_DATABASE_SECONDS)
    return faults[0] if faults else f"PostgreSQL did not answer within {_DATABASE_SECONDS:g} s."


def _ask_database(services: Services) -> str | None:
    try:
        with services.engine.connect() as connection:
            present = repository.schema_version(connection)
    except SQLAlchemyError:
        return "PostgreSQL does not answer. Check CARILLON_DATABASE_URL and that it runs."
    if present != newest_version():
        return f"The schema is {present or 'empty'}: run ./carillon migrate."
    return None


def _redis(services: Services) -> str | None:
    try:
        services.redis.ping()
    except (RedisError, OSError):
        return "Redis does not answer: pacing and limits fall back to PostgreSQL."
    return None


def _broker(services: Services) -> str | None:
    try:
        with services.queue.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except (BrokerError, OSError):
        return "The broker does not answer: workers look for work themselves, a little later."
    return None
