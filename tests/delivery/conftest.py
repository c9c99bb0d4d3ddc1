"""A database with one message of five recipients in one chunk, leased."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, text

from core.database import driver_connection, open_engine
from delivery.chunks import recording_repository, repository
from delivery.chunks.chunk import Lease, Step

LEASE_SECONDS = 60.0
# The third recipient is a device without a person.
PEOPLE = (11, 12, None, 14, 15)

_ROWS = """
INSERT INTO app (public_id, name, identity_secret) VALUES ('app_1', 'app', '\\x00');
INSERT INTO credential (app_id, public_id, provider, kind, name, sealed)
SELECT id, 'cred_1', 'fcm', 'service_account', 'name', '\\x00' FROM app;
INSERT INTO message (app_id, public_id, day, lane, state, policy, content, audience, ttl_seconds,
                     send_at, expires_at)
SELECT id, 'msg_1', current_date, 'campaign', 'running', 'at_most_once', '{}', '{}', 3600, now(),
       now() + interval '1 hour' FROM app;
INSERT INTO device (app_id, public_id, installation_id, person_id, platform)
SELECT id, 'dev_' || n, 'inst_' || n, nullif(10 + n, 13), 'android'
FROM app, generate_series(1, 5) AS n ORDER BY n;
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, registered_at)
SELECT app_id, id, 'fcm', 'token', 't' || id, int8send(id), now() - interval '1 day'
FROM device ORDER BY id;
INSERT INTO chunk (app_id, message_id, credential_id, lane, device_ids, person_ids, remaining)
SELECT m.app_id, m.id, k.id, 'campaign', array_agg(d.id ORDER BY d.id),
       array_agg(d.person_id ORDER BY d.id), count(*)
FROM message m JOIN credential k USING (app_id) JOIN device d USING (app_id)
GROUP BY m.app_id, m.id, k.id;
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A leased chunk, and the engine its steps are recorded with."""

    database: Engine
    lease: Lease

    def record(self, step: Step, cursor: int = 0) -> bool:
        """Record a step as the worker does."""
        with driver_connection(self.database) as connection:
            return recording_repository.record(connection, self.lease, cursor, step, LEASE_SECONDS)

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def change(self, sql: str) -> None:
        """Do what somebody else does."""
        with self.database.begin() as connection:
            connection.execute(text(sql))


@pytest.fixture
def held(fresh_database: str) -> Iterator[Held]:
    """The chunk of five recipients, held by this worker."""
    database = open_engine(fresh_database, pool_size=4)
    with database.begin() as connection:
        connection.execute(text(_ROWS))
        owner = repository.Owner("campaign", "test", LEASE_SECONDS)
        lease = repository.claim(connection, owner, repository.Hands(), limit=1)[0]
    yield Held(database, lease)
    database.dispose()


@pytest.fixture
def fresh_engine(fresh_database: str) -> Iterator[Engine]:
    """An engine on a migrated, empty database of this test alone."""
    database = open_engine(fresh_database, pool_size=5)
    yield database
    database.dispose()
