"""`./carillon migrate`: bring the database to the newest schema, forward only."""

import argparse
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from api.services.local import complete
from core.database import open_engine
from core.settings import read_settings

_FOLDER = Path(__file__).resolve().parents[2] / "migrations"
# Two processes that start together must not both migrate; the number is arbitrary but fixed.
_LOCK = 0x0CA21110


def migrate(database_url: str) -> None:
    """Upgrade the database at `database_url` to the newest version; safe to run twice at once."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    engine = open_engine(database_url, pool_size=2)
    try:
        with engine.connect() as guard, engine.connect() as connection:
            guard.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            guard.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
    finally:
        engine.dispose()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `migrate`."""
    parser.add_argument("--check", action="store_true", help="only say whether it is needed")


def run(args: argparse.Namespace) -> int:
    """Migrate the database named by CARILLON_DATABASE_URL."""
    url = complete(read_settings()).require_database_url()
    if args.check:
        return _check(url)
    migrate(url)
    print("The database has the newest schema.")
    return 0


def _check(url: str) -> int:
    newest = max(path.name[:4] for path in (_FOLDER / "versions").glob("[0-9]*.py"))
    engine = open_engine(url, pool_size=1)
    with engine.connect() as connection:
        known = connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        present = (
            connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
        )
    print(f"schema {present or 'none'}, newest {newest}")
    return 0 if present == newest else 1
