"""A database of a benchmark's own: one app, its devices, and a message cut into chunks."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, text

from api.commands.migrate import migrate
from api.services.pair import EmbeddedOptions, embedded_pair
from core.database import open_engine

_APP = """
INSERT INTO app (public_id, name, identity_secret) VALUES ('app_bench', 'bench', '\\x00');
INSERT INTO credential (app_id, public_id, provider, kind, name, project_id, sealed)
SELECT id, 'cred_bench', 'fcm', 'service_account', 'bench', 'bench', '\\x00' FROM app;
"""
_DEVICES = """
WITH people AS (
    INSERT INTO device (app_id, public_id, installation_id, person_id, platform)
    SELECT a.id, 'dev_' || n, 'inst_' || n, n, 'android' FROM app a, generate_series(1, :count) n
    RETURNING app_id, id, person_id)
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash)
SELECT app_id, id, 'fcm', 'token', 'token-' || id, int8send(id) FROM people
"""
_MESSAGE = """
INSERT INTO message (app_id, public_id, day, lane, state, policy, content, audience, ttl_seconds,
                     send_at, expires_at, started_at)
SELECT id, :name, current_date, 'campaign', 'running', 'at_most_once', '{}', '{}', 3600,
       now(), now() + interval '1 hour', now() FROM app RETURNING id
"""
_CHUNKS = """
INSERT INTO chunk (app_id, message_id, credential_id, lane, device_ids, person_ids, remaining)
SELECT d.app_id, :message_id, k.id, 'campaign', array_agg(d.id ORDER BY d.id),
       array_agg(d.person_id ORDER BY d.id), count(*)
FROM (SELECT d.*, (row_number() OVER (ORDER BY d.id) - 1) / :size AS part FROM device d) d
JOIN credential k ON k.app_id = d.app_id
GROUP BY d.app_id, k.id, d.part
"""


@contextlib.contextmanager
def bench_database(devices: int, *, pool_size: int) -> Iterator[Engine]:
    """Yield an engine on a durable server of its own, with one app and so many devices."""
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as name:
        options = EmbeddedOptions(Path(name) / "state", durable=True, fresh=True)
        with embedded_pair(options) as pair:
            migrate(pair.database_url)
            engine = open_engine(pair.database_url, pool_size=pool_size, process="bench")
            try:
                with engine.begin() as connection:
                    connection.execute(text(_APP))
                    connection.execute(text(_DEVICES), {"count": devices})
                with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                    connection.execute(text("VACUUM ANALYZE"))
                yield engine
            finally:
                engine.dispose()


def cut_message(engine: Engine, name: str, chunk_size: int) -> int:
    """Cut a new message to all devices into due chunks; return its id."""
    with engine.begin() as connection:
        found: int = connection.execute(text(_MESSAGE), {"name": name}).scalar_one()
        values = {"message_id": found, "size": chunk_size}
        connection.execute(text(_CHUNKS), values)
    return found
