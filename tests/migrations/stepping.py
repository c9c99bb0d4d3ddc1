"""A database at an earlier version, to be filled and then migrated."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, NullPool, create_engine, text

from core.database import open_engine
from tests.databases import administration, rename

_FOLDER = Path(__file__).resolve().parents[2] / "migrations"


def migrate_to(database_url: str, revision: str) -> None:
    """Upgrade a database to a version, as `./carillon migrate` does to the newest."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    engine = open_engine(database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.commit()
    finally:
        engine.dispose()


@contextmanager
def database_at(server_url: str, revision: str) -> Iterator[str]:
    """Yield the URL of a new database at a version; it goes at the end."""
    name = f"carillon_test_step_{secrets.token_hex(6)}"
    with administration(server_url) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        url = rename(server_url, name)
        migrate_to(url, revision)
        yield url
    finally:
        with administration(server_url) as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def engine_of(url: str) -> Engine:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def version_of(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))
