"""Version 0008: on an empty database, on a filled one, and while somebody holds a table."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

import delivery.credentials.tables
import delivery.guard.tables
import delivery.tables
from api.commands.migrate import migrate
from api.schema_version import newest_version
from api.services.pair import Urls
from core.database import metadata
from tests.migrations.stepping import database_at, engine_of, version_of

_FILLED = """
INSERT INTO app (public_id, name, identity_secret) VALUES ('app_1', 'app', '\\x00');
INSERT INTO credential (app_id, public_id, provider, kind, name, sealed, state, reason, reason_text)
SELECT id, 'cred_' || s, 'fcm', 'service_account', 'name', '\\x00', s, 'why', 'Why.'
FROM app, unnest(ARRAY['active', 'paused', 'retired']) AS s;
INSERT INTO device (app_id, public_id, installation_id, platform)
SELECT id, 'dev_' || n, 'inst_' || n, 'android' FROM app, generate_series(1, 300) AS n;
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, state)
SELECT app_id, id, 'fcm', 'token', 't' || id, int8send(id),
       (ARRAY['active', 'suspect', 'retired'])[1 + id % 3] FROM device;
"""
_TABLES = (
    delivery.tables.credential,
    delivery.tables.target,
    delivery.credentials.tables.credential_event,
    delivery.guard.tables.token_answer,
)


@pytest.fixture
def at_0007(urls: Urls) -> Iterator[str]:
    """An empty database of the version before."""
    with database_at(urls.database_url, "0007") as url:
        yield url


def test_the_tables_are_what_the_code_says(connection: Connection) -> None:
    differences = compare_metadata(MigrationContext.configure(connection), metadata)
    named = [
        str(one) for one in differences if any(f"'{table.name}'" in str(one) for table in _TABLES)
    ]

    assert named == []


def test_a_filled_database_keeps_everything_and_probes_what_is_paused(at_0007: str) -> None:
    engine = engine_of(at_0007)
    with engine.begin() as connection:
        connection.execute(text(_FILLED))

    migrate(at_0007)

    with engine.connect() as connection:
        credentials = connection.execute(
            text("SELECT state, probe_at IS NOT NULL, probes, holds FROM credential ORDER BY id")
        ).all()
        targets = connection.execute(
            text(
                "SELECT state, count(*), count(suspect_credential_id) FROM target "
                "GROUP BY state ORDER BY state"
            )
        ).all()
    assert credentials == [
        ("active", False, 0, 0), ("paused", True, 0, 0), ("retired", False, 0, 0)
    ]  # fmt: skip
    assert targets == [("active", 100, 0), ("retired", 100, 0), ("suspect", 100, 0)]


def test_it_gives_up_rather_than_hold_everybody_up(at_0007: str) -> None:
    engine = engine_of(at_0007)
    with engine.begin() as holder:
        holder.execute(text("LOCK TABLE target IN ACCESS SHARE MODE"))

        with pytest.raises(OperationalError, match="lock timeout"):
            migrate(at_0007)
    before = version_of(engine)

    migrate(at_0007)

    assert (before, version_of(engine)) == ("0007", newest_version())
