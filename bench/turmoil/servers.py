"""The servers under a campaign in turmoil: our own may be stopped, somebody else's may not."""

import contextlib
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from kombu.utils.url import parse_url
from sqlalchemy import make_url

from api.services.claim import claimed
from api.services.errors import AlreadyRunningError
from api.services.pair import Urls, say_on_stderr
from api.services.places import Places, remove_data, settle
from api.services.postgres import Postgres
from api.services.processes import ProcessBook
from api.services.signals import uninterrupted
from api.services.valkey import Valkey
from bench.errors import BenchError
from bench.own.packages import MissingError, Program, postgres_program, rabbitmq_program
from bench.own.postgres import own_postgres
from bench.own.rabbitmq import drop_queues, own_rabbitmq, version_of
from bench.own.redis import own_redis
from bench.own.servers import Ground, ground

EMBEDDED = "embedded"
SYSTEM = "system"
RABBITMQ = "rabbitmq"
_SLOTS = 16
# The first two are those by which the folder is held and swept.
_KEPT = ("lock", "run", "logs")


@dataclass(frozen=True, slots=True)
class Switch:
    """How a server of ours is stopped, and started again at the same address."""

    stop: Callable[[], None]
    start: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers answer, and the switches of those that are ours."""

    urls: Urls
    book: ProcessBook
    redis: Switch
    database: Switch | None
    broker: Switch | None
    queue_prefix: str  # of a broker that others use, too, the queues are our own
    names: dict[str, str]  # what they are, for whoever reads the result


@contextlib.contextmanager
def open_servers(state: Path, database: str, broker: str) -> Iterator[Servers]:
    """Start what is ours in the first free slot of `state`; all of it is gone afterwards.

    `database` is `embedded`, `system` or a URL; `broker` is `embedded`, `rabbitmq` or a URL.
    """
    with contextlib.ExitStack() as stack:
        book = _claim(state, stack)
        stack.callback(_forget, book.folder)
        place = stack.enter_context(ground(book))
        places = settle(book.folder, say_on_stderr)
        redis = Valkey(book, places)
        database_url, database_switch = _database(database, places, place, stack)
        stack.callback(redis.stop)
        redis.start()
        broker_url, broker_switch = _broker(broker, places, place, stack)
        prefix = f"chaos-{secrets.token_hex(4)}-"
        if "://" in broker:
            stack.callback(_leave_broker, broker, prefix)
        yield Servers(
            urls=Urls(database_url, redis.url(), broker_url),
            book=book,
            redis=Switch(redis.stop, redis.start),
            database=database_switch,
            broker=broker_switch,
            queue_prefix=prefix,
            names={"database": _name(database), "broker": _name(broker)},
        )


def _name(choice: str) -> str:
    # A URL may hold a password.
    return f"{urlsplit(choice).hostname}" if "://" in choice else choice


def _claim(state: Path, stack: contextlib.ExitStack) -> ProcessBook:
    for slot in range(_SLOTS):
        with contextlib.suppress(AlreadyRunningError):
            return stack.enter_context(claimed(state / str(slot), fresh=True))
    raise BenchError(f"{_SLOTS} of these run already in {state}: wait until one has ended")


def _forget(folder: Path) -> None:
    """Remove what the run has made but its logs, which the next one removes."""
    with uninterrupted():
        remove_data(folder)
        for path in folder.iterdir():
            if path.name in _KEPT:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _database(
    choice: str, places: Places, place: Ground, stack: contextlib.ExitStack
) -> tuple[str, Switch | None]:
    if choice == EMBEDDED:
        embedded = Postgres(place.book, places, durable=True)
        # What it holds is thrown away.
        stack.callback(embedded.stop, "immediate")
        embedded.start()
        return embedded.url(), Switch(lambda: embedded.stop("immediate"), embedded.start)
    if choice == SYSTEM:
        own = own_postgres(place, _installed(postgres_program), tls=False)
        stack.callback(own.stop, signal.SIGQUIT)
        own.start()
        return own.url, Switch(lambda: own.stop(signal.SIGQUIT), own.start)
    return stack.enter_context(_database_at(choice)), None


def _broker(
    choice: str, places: Places, place: Ground, stack: contextlib.ExitStack
) -> tuple[str, Switch | None]:
    if choice == EMBEDDED:
        # Not that of the caches: one may then be away without the other.
        own = own_redis(place, places.binaries.valkey_server, tls=False)
        stack.callback(own.stop)
        own.start()
        return own.url, Switch(own.stop, own.start)
    if choice == RABBITMQ:
        node = stack.enter_context(own_rabbitmq(place, _installed(rabbitmq_program)))
        return node.url, Switch(node.stop, node.start)
    _check_broker(choice)
    return choice, None


def _installed(find: Callable[[], Program]) -> Path:
    try:
        return find().folder
    except MissingError as error:
        raise BenchError(str(error)) from None


@contextlib.contextmanager
def _database_at(url: str) -> Iterator[str]:
    """Make a database of this run in somebody else's server, and drop it afterwards."""
    name = f"carillon_chaos_{secrets.token_hex(6)}"
    plain = url.replace("+psycopg", "", 1)
    try:
        with psycopg.connect(plain, autocommit=True, connect_timeout=5) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        raise BenchError(f"--database: no database can be made there: {words}") from None
    try:
        own = make_url(url).set(database=name, drivername="postgresql+psycopg")
        yield own.render_as_string(hide_password=False)
    finally:
        with uninterrupted(), psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def _check_broker(url: str) -> None:
    """Raise `BenchError` unless it is a RabbitMQ that lets us in."""
    parts = parse_url(url)
    host = f"{parts['hostname']}:{parts['port'] or 5672}"
    virtual_host = parts["virtual_host"] or "/"
    is_rabbitmq = parts["transport"] in ("amqp", "pyamqp")
    if not (is_rabbitmq and version_of(host, parts["userid"], parts["password"], virtual_host)):
        raise BenchError(f"--broker: no RabbitMQ at {host} lets this user in")


def _leave_broker(url: str, prefix: str) -> None:
    with uninterrupted():
        drop_queues(url, [prefix])
