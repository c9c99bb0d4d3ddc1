"""PostgreSQL, the only truth: the metadata all tables share, and how engines are opened."""

import contextlib
import itertools
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    InvalidatePoolError,
    OperationalError,
    TimeoutError,  # noqa: A004 (that of the pool)
)

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


# A server or a network that falls silent is noticed within half a minute, not after two hours.
_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# A connection that was used a moment ago and has nothing to say is not asked whether it lives.
_PING_AFTER_SECONDS = 1.0
_IDLE_SINCE = "idle_since"
# What psycopg raises when the server is away; also a deadlock, which a second try resolves.
_DRIVER_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)


def open_engine(
    url: str,
    *,
    pool_size: int,
    pool_timeout_seconds: float = 5.0,
    process: str = "tool",
    session: Mapping[str, str] = MappingProxyType({}),
) -> Engine:
    """Return an engine whose transactions are durable when they answer.

    `url` is a SQLAlchemy or libpq style PostgreSQL URL. The pool never overflows, so that the
    processes together stay within `max_connections`; `process` names them in pg_stat_activity.
    `session` holds further settings of PostgreSQL for each connection.
    """
    # A session default of "off" would turn 2xx into a promise nobody keeps.
    # Statements of sets look dear to the planner: its compiler once took 54 s for what takes 1.9 s.
    settings = {"synchronous_commit": "on", "timezone": "UTC", "jit": "off", **session}
    engine = create_engine(
        _with_driver(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_seconds,
        connect_args={
            "application_name": f"carillon-{process}",
            "connect_timeout": 5,
            **_KEEPALIVE,
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        },
    )
    _ping_doubtful(engine)
    return engine


def _ping_doubtful(engine: Engine) -> None:
    """Replace connections that ended while they lay in the pool.

    Like `pool_pre_ping`, but the round trip is spared when the connection was used a moment ago
    and its socket is silent: the end of a server or of a connection makes it readable.
    """

    @event.listens_for(engine, "checkin")
    def note(_connection: object, record: Any) -> None:
        record.info[_IDLE_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: Any, _proxy: object) -> None:
        since = record.info.get(_IDLE_SINCE)
        if since is None:
            return
        is_fresh = time.monotonic() - since < _PING_AFTER_SECONDS
        if is_fresh and _is_silent(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


def _is_silent(connection: "psycopg.Connection[Any]") -> bool:
    if connection.closed:
        return False
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return not socket.poll(0)


@contextlib.contextmanager
def begin_unhurried(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction whose COMMIT does not wait for the disk.

    For what nobody was promised and what is done again when a crash of the server loses it. A
    durable COMMIT that comes later makes it durable, too: the log is written in order.
    """
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL synchronous_commit TO off"))
        yield connection


@contextlib.contextmanager
def driver_connection(engine: Engine) -> "Iterator[psycopg.Connection[Any]]":
    """Lend psycopg's own connection, in autocommit: for the few statements of the hot path.

    There SQLAlchemy's share of each statement counts. What is raised inside are psycopg's errors;
    a connection that is not ready for the next one leaves the pool.
    """
    with engine.connect() as pooled:
        connection = pooled.connection.driver_connection
        if not isinstance(connection, psycopg.Connection):
            raise TypeError("the engine does not run on psycopg")
        connection.autocommit = True
        try:
            yield connection
        finally:
            if connection.info.transaction_status is TransactionStatus.IDLE:
                connection.autocommit = False
            else:
                pooled.invalidate()


def driver_of(connection: Connection) -> "psycopg.Connection[Any]":
    """Return psycopg's own connection, for statements within the caller's transaction."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("the engine does not run on psycopg")
    return driver


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg{separator}{rest}" if scheme in {"postgres", "postgresql"} else url


def is_away(error: Exception) -> bool:
    """Tell whether the database does not answer, rather than refuse what it was told."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    own = (OperationalError, InterfaceError, InternalError, TimeoutError)
    return isinstance(error, (*own, *_DRIVER_AWAY))


def rows(connection: Connection, sql: str, **values: Any) -> Sequence[Any]:
    """Run one statement with bound values and return all its rows."""
    return connection.execute(text(sql), values).all()


def create_month_partitions(connection: Connection, tables: Sequence[str], today: date) -> None:
    """Create the partitions of the present month, the one before and the two after, if absent."""
    first = _month(today.year, today.month - 1)
    bounds = [_month(first.year, first.month + step) for step in range(5)]
    for table in tables:
        for start, end in itertools.pairwise(bounds):
            name = f"{table}_{start:%Y_%m}"
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} "
                    f"FOR VALUES FROM ('{start}') TO ('{end}')"
                )
            )


def drop_month_partitions(connection: Connection, table: str, kept_from: date) -> list[str]:
    """Drop the partitions of a table that end before the day `kept_from`; return their names."""
    last = _month(kept_from.year, kept_from.month)
    found = rows(
        connection,
        """SELECT inhrelid::regclass::text AS name FROM pg_inherits
           WHERE inhparent = CAST(:table AS regclass) ORDER BY 1""",
        table=table,
    )
    over = [row.name for row in found if row.name < f"{table}_{last:%Y_%m}"]
    for name in over:
        connection.execute(text(f"DROP TABLE {name}"))
    return over


def _month(year: int, month: int) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
