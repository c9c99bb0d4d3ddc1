"""Fixtures over real servers; every test finds an empty, migrated database."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis
from sqlalchemy import Connection, Engine
from xdist.remote import Producer

from api.services.pair import EmbeddedOptions, Pair, Urls, embedded_pair
from bench.own.packages import MissingError
from core.database import open_engine
from tests.databases import cloned, ensure_template
from tests.deadlines import be_exact
from tests.scheduling import PATIENCE_SECONDS, Together, is_crowd
from tests.servers import SERVERS, Servers

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("carillon", deadline=None)
hypothesis.settings.load_profile("carillon")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the full form of every proof")


def pytest_configure(config: pytest.Config) -> None:
    for name in [name for name in os.environ if name.startswith("CARILLON_")]:
        # The settings of whoever runs the tests must not decide their outcome.
        if not name.startswith("CARILLON_TEST_"):
            del os.environ[name]
    if config.getoption("--long"):
        be_exact()
    servers = config.stash[SERVERS] = Servers()
    if config.getoption("tx", None) or servers.mode:
        # Workers inherit the environment: the servers must run before they start.
        try:
            servers.urls()
        except MissingError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"external: {found.line}" for found in config.stash[SERVERS].found]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if is_crowd(item.nodeid) and not item.get_closest_marker("timeout"):
            # Whatever starts many processes is slow on a slow machine, not wrong.
            item.add_marker(pytest.mark.timeout(PATIENCE_SECONDS))
    is_external = config.stash[SERVERS].mode is not None
    left_out = [
        item
        for item in items
        if (item.get_closest_marker("long") and not config.getoption("--long"))
        or not _belongs(item, is_external=is_external)
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _belongs(item: pytest.Item, *, is_external: bool) -> bool:
    """Tell whether a test is of this run: on external servers, those that use a server at all."""
    if item.get_closest_marker("external"):
        return is_external
    return not is_external or "urls" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def urls(pytestconfig: pytest.Config) -> Urls:
    """The servers of this run; tests want the narrower fixtures below."""
    return pytestconfig.stash[SERVERS].urls()


@pytest.fixture(scope="session")
def template(pytestconfig: pytest.Config, urls: Urls) -> str:
    """The name of the migrated template database."""
    return ensure_template(urls.database_url, pytestconfig.stash[SERVERS].run)


@pytest.fixture(scope="session")
def database_url(urls: Urls, template: str) -> Iterator[str]:
    """A migrated database of this worker; what a test commits here, others see."""
    with cloned(urls.database_url, template) as url:
        yield url


@pytest.fixture
def fresh_database(urls: Urls, template: str) -> Iterator[str]:
    """A migrated, empty database of this test alone, for tests that commit."""
    with cloned(urls.database_url, template) as url:
        yield url


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on this worker's database."""
    engine = open_engine(database_url, pool_size=5)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def empty_engine(urls: Urls, template: str) -> Iterator[Engine]:
    """An engine on a database of this worker in which nobody ever commits."""
    with cloned(urls.database_url, template) as url:
        engine = open_engine(url, pool_size=1)
        yield engine
        engine.dispose()


@pytest.fixture
def connection(empty_engine: Engine) -> Iterator[Connection]:
    """A connection to an empty database, whose work is rolled back after the test.

    It is not the database of `engine`: what tests before this one have committed there must not be
    seen by one that looks at the work of all apps.
    """
    with empty_engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@pytest.fixture(scope="session")
def redis_url(urls: Urls) -> str:
    """A Redis server that others use too: put `redis_prefix` before every key."""
    return urls.redis_url


@pytest.fixture
def redis_prefix(redis_url: str) -> Iterator[str]:
    """A random start of keys; what begins with it is removed after the test."""
    prefix = f"test-{secrets.token_hex(6)}:"
    yield prefix
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(match=f"{prefix}*", count=1000):
            client.delete(key)


@pytest.fixture(scope="session")
def broker_url(urls: Urls) -> str:
    """The broker of this worker alone."""
    return urls.broker_url


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[Pair]:
    """Servers of this test alone, to be killed, emptied and restarted (unmigrated)."""
    with embedded_pair(EmbeddedOptions(tmp_path / "state", durable=False, fresh=True)) as pair:
        yield pair
