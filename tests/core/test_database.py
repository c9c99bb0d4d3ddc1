"""Connections that end in the pool are replaced, and living ones are not asked each time."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text

from core.database import driver_connection, is_away, open_engine


@pytest.fixture
def single(database_url: str) -> Iterator[Engine]:
    """An engine with one connection."""
    engine = open_engine(database_url, pool_size=1)
    yield engine
    engine.dispose()


def backend_of(engine: Engine) -> int:
    with driver_connection(engine) as connection:
        return connection.info.backend_pid


def end(connection: Connection, pid: int) -> None:
    """End a session and wait until it is gone."""
    ended = text("SELECT pg_terminate_backend(:pid, 10000)")
    assert connection.execute(ended, {"pid": pid}).scalar_one()


def test_a_session_that_was_ended_a_moment_ago_is_replaced(
    single: Engine, connection: Connection
) -> None:
    before = backend_of(single)
    end(connection, before)

    assert backend_of(single) != before


def test_a_connection_that_was_used_a_moment_ago_is_not_asked(
    single: Engine, connection: Connection
) -> None:
    with driver_connection(single) as used:
        used.execute("SELECT 'the last statement'")

    pid = backend_of(single)

    last = text("SELECT query FROM pg_stat_activity WHERE pid = :pid")
    found = connection.execute(last, {"pid": pid}).scalar_one()
    assert found == "SELECT 'the last statement'"


def test_a_connection_that_breaks_in_use_leaves_the_pool(
    single: Engine, connection: Connection
) -> None:
    with driver_connection(single) as used:
        before = used.info.backend_pid
        end(connection, before)
        with pytest.raises(psycopg.OperationalError) as raised:
            used.execute("SELECT 1")

    assert is_away(raised.value)
    assert backend_of(single) != before


def test_a_refused_statement_keeps_its_connection_but_no_transaction(single: Engine) -> None:
    with driver_connection(single) as used:
        before = used.info.backend_pid
        with pytest.raises(psycopg.errors.DivisionByZero) as raised, used.transaction():
            used.execute("SELECT 1 / 0")

    assert not is_away(raised.value)
    assert backend_of(single) == before
    with single.connect() as ordinary:
        assert ordinary.execute(text("SELECT 1")).scalar_one() == 1
        assert not ordinary.connection.driver_connection.autocommit  # type: ignore[union-attr]


def test_a_connection_left_in_a_transaction_leaves_the_pool(single: Engine) -> None:
    with driver_connection(single) as used:
        before = used.info.backend_pid
        used.execute("BEGIN")

    assert backend_of(single) != before
