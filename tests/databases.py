"""Databases for tests: one migrated template per run, and quick clones of it."""

import contextlib
import secrets
from collections.abc import Iterator

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from api.commands.migrate import migrate

_TEMPLATE_LOCK = 0x7E57


@contextlib.contextmanager
def administration(url: str) -> Iterator[Connection]:
    """Yield an autocommit connection, which CREATE and DROP DATABASE need."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def ensure_template(url: str, run: str) -> str:
    """Create and migrate the template of this run, once for all workers; return its name."""
    name = f"carillon_test_{run}_template"
    with administration(url) as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _TEMPLATE_LOCK})
        if not _exists(connection, name):
            connection.execute(text(f"CREATE DATABASE {name}"))
            migrate(rename(url, name))
    return name


@contextlib.contextmanager
def cloned(url: str, template: str) -> Iterator[str]:
    """Yield the URL of a fresh clone of `template`, which is dropped afterwards."""
    name = f"{template.removesuffix('template')}{secrets.token_hex(6)}"
    with administration(url) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield rename(url, name)
    finally:
        with administration(url) as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def drop_all(url: str, run: str) -> None:
    """Drop the template of a run and the clones that killed workers left."""
    with administration(url) as connection:
        names = connection.scalars(
            text("SELECT datname FROM pg_database WHERE starts_with(datname, :start)"),
            {"start": f"carillon_test_{run}_"},
        ).all()
        for name in names:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def rename(url: str, database: str) -> str:
    """Return `url` with another database name."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _exists(connection: Connection, name: str) -> bool:
    query = text("SELECT EXISTS (SELECT FROM pg_database WHERE datname = :name)")
    return bool(connection.scalar(query, {"name": name}))
