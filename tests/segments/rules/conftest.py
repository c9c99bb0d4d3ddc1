"""A database for rules: what happened may be of any time."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from api.services.pair import Urls
from core.database import open_engine
from tests.databases import cloned


@pytest.fixture(scope="package")
def rules_engine(urls: Urls, template: str) -> Iterator[Engine]:
    """An engine on a database with a place for events, ends and receipts of all times."""
    with cloned(urls.database_url, template) as url:
        engine = open_engine(url, pool_size=2)
        with engine.begin() as connection:
            for table in ("event", "ledger", "receipt"):
                connection.execute(text(f"CREATE TABLE {table}_any PARTITION OF {table} DEFAULT"))
        yield engine
        engine.dispose()
