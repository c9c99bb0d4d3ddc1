"""Servers of the tests' own on TCP, which may be restarted while a platform runs on them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from api.commands.migrate import migrate
from api.services.binaries import find_binaries
from api.services.pair import Urls
from bench.own.packages import (
    MissingError,
    postgres_program,
    rabbitmq_program,
    redis_program,
)
from bench.own.postgres import copied, own_postgres
from bench.own.rabbitmq import own_rabbitmq
from bench.own.redis import own_redis
from bench.own.servers import Ground, OwnServer
from tests.chaos.stage import Stage, open_stage
from tests.databases import cloned
from tests.external.found import swept_ground
from tests.fixtures.sandbox import Sandbox, sandbox, sandbox_process
from tests.servers import STATE

__all__ = ["sandbox", "sandbox_process"]

T = TypeVar("T")


def installed(find: Callable[[], T]) -> T:
    """Return what `find` finds, or skip the test with the command that installs it."""
    try:
        return find()
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def place() -> Iterator[Ground]:
    """Where the servers lie."""
    with swept_ground(STATE) as made:
        yield made


@pytest.fixture(scope="session")
def postgres_15(place: Ground) -> Iterator[OwnServer]:
    """The oldest PostgreSQL that this system has installed: 15 on Debian 12."""
    server = own_postgres(place, installed(postgres_program).folder)
    yield from running(server)


@pytest.fixture(scope="session")
def postgres_18(place: Ground) -> Iterator[OwnServer]:
    """The newest PostgreSQL: that of our wheel, here on TCP as any other."""
    programs = copied(place, find_binaries().postgres_root / "bin")
    yield from running(own_postgres(place, programs, tls=False))


@pytest.fixture(scope="session")
def redis_server(place: Ground) -> Iterator[OwnServer]:
    """This system's Redis."""
    yield from running(own_redis(place, installed(redis_program).folder))


@pytest.fixture(scope="session")
def rabbitmq(place: Ground) -> Iterator[OwnServer]:
    """This system's RabbitMQ, as a node of its own."""
    with own_rabbitmq(place, installed(rabbitmq_program).folder) as node:
        yield node


@pytest.fixture
def postgres(request: pytest.FixtureRequest) -> OwnServer:
    """One of the two versions, chosen by the test's parameter; 15 without one."""
    server: OwnServer = request.getfixturevalue(getattr(request, "param", "postgres_15"))
    return server


@pytest.fixture
def stage(
    postgres: OwnServer,
    redis_server: OwnServer,
    rabbitmq: OwnServer,
    sandbox: Sandbox,
    tmp_path: Path,
) -> Iterator[Stage]:
    """A platform on external servers that may be restarted."""
    with cloned(postgres.url, "template1") as database_url:
        migrate(database_url)
        urls = Urls(database_url, redis_server.url, rabbitmq.url)
        with open_stage(urls, sandbox, tmp_path) as made:
            yield made


def running(server: OwnServer) -> Iterator[OwnServer]:
    """Yield the server while it runs."""
    server.start()
    try:
        yield server
    finally:
        server.stop()
