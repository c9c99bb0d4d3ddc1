"""PostgreSQL, the only truth: the metadata all tables share, and how engines are opened."""

import itertools
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, text
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
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


def open_engine(
    url: str, *, pool_size: int, pool_timeout_seconds: float = 5.0, process: str = "tool"
) -> Engine:
    """Return an engine whose transactions are durable when they answer.

    `url` is a SQLAlchemy or libpq style PostgreSQL URL. The pool never overflows, so that the
    processes together stay within `max_connections`; `process` names them in pg_stat_activity.
    """
    return create_engine(
        _with_driver(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_seconds,
        pool_pre_ping=True,
        connect_args={
            "application_name": f"carillon-{process}",
            "connect_timeout": 5,
            **_KEEPALIVE,
            # A session default of "off" would turn 2xx into a promise nobody keeps.
            "options": "-c synchronous_commit=on -c timezone=UTC",
        },
    )


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg{separator}{rest}" if scheme in {"postgres", "postgresql"} else url


def is_away(error: Exception) -> bool:
    """Tell whether the database does not answer, rather than refuse what it was told."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (OperationalError, InterfaceError, InternalError, TimeoutError))


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


def _month(year: int, month: int) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
