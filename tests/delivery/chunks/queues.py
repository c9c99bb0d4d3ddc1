"""Queues of chunks for claims: apps, messages and chunks that are due, in a database."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, text

from delivery.chunks import repository
from delivery.chunks.chunk import Lease

_APP = """
INSERT INTO app (public_id, name, identity_secret, weight)
VALUES (:name, :name, '\\x00', :weight) RETURNING id
"""
_CREDENTIAL = """
INSERT INTO credential (app_id, public_id, provider, kind, name, sealed)
VALUES (:app_id, :name, 'fcm', 'service_account', 'key', '\\x00') RETURNING id
"""
_MESSAGE = """
INSERT INTO message (app_id, public_id, day, lane, state, policy, content, audience, ttl_seconds,
                     send_at, expires_at, rate_per_second, weight)
VALUES (:app_id, :name, current_date, :lane, :state, 'at_most_once', '{}', '{}', 3600, now(),
        now() + make_interval(secs => :life), :rate, :weight) RETURNING id
"""
_CHUNKS = """
INSERT INTO chunk (app_id, message_id, credential_id, lane, device_ids, person_ids, remaining,
                   due_at)
SELECT :app_id, :message_id, :credential_id, :lane, '{1}', '{1}', 1,
       now() - make_interval(secs => :age)
FROM generate_series(1, :chunks)
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A message of an app, with the credential of that app."""

    app_id: int
    message_id: int
    credential_id: int


@dataclass(slots=True)
class Queue:
    """What waits, and whose chunks a worker got."""

    database: Engine
    keys: dict[str, Key] = field(default_factory=dict)
    _credentials: dict[int, int] = field(default_factory=dict)

    def add_app(self, name: str, weight: int = 1) -> int:
        """Add an app with a credential; return its id."""
        with self.database.begin() as connection:
            app_id = int(_one(connection, _APP, name=name, weight=weight))
            self._credentials[app_id] = int(
                _one(connection, _CREDENTIAL, app_id=app_id, name=f"cred-{name}")
            )
        return app_id

    def add(self, name: str, app_id: int, chunks: int, **fields: Any) -> None:
        """Add a message with chunks of one recipient each, due since `age` seconds."""
        given = {
            "lane": "campaign",
            "state": "running",
            "rate": None,
            "weight": 1,
            "life": 3600.0,
            "age": 10.0,
            **fields,
        }
        with self.database.begin() as connection:
            self.add_to(connection, name, app_id, chunks, **given)

    def add_to(
        self, connection: Connection, name: str, app_id: int, chunks: int, **given: Any
    ) -> None:
        """Add a message on an open connection; all of its fields are given."""
        credential_id, age = self._credentials[app_id], given.pop("age")
        message_id = int(_one(connection, _MESSAGE, app_id=app_id, name=name, **given))
        values = {"app_id": app_id, "message_id": message_id, "credential_id": credential_id}
        self.keys[name] = Key(app_id, message_id, credential_id)
        connection.execute(
            text(_CHUNKS), {**values, "lane": given["lane"], "chunks": chunks, "age": age}
        )

    def claim(
        self,
        limit: int,
        held: dict[str, int] | None = None,
        refused: Iterable[str] = (),
        lane: str = "campaign",
    ) -> list[str]:
        """Claim as a worker that holds so many chunks of these messages; return their names."""
        with self.database.begin() as connection:
            return self.names(self.claim_on(connection, limit, held or {}, refused, lane))

    def claim_on(
        self,
        connection: Connection,
        limit: int,
        held: dict[str, int] | None = None,
        refused: Iterable[str] = (),
        lane: str = "campaign",
    ) -> list[Lease]:
        """Claim on an open connection, which may keep its transaction."""
        keys = self.keys
        hands = repository.Hands(
            {(keys[name].app_id, keys[name].message_id): n for name, n in (held or {}).items()},
            [(keys[name].message_id, keys[name].credential_id) for name in refused],
        )
        owner = repository.Owner(lane, "test", 60.0)
        return list(repository.claim(connection, owner, hands, limit=limit))

    def names(self, leases: Iterable[Lease]) -> list[str]:
        """Return the names of the messages of leases."""
        by_id = {key.message_id: name for name, key in self.keys.items()}
        return [by_id[lease.message.id] for lease in leases]

    def drain(self, limit: int, rounds: int, lane: str = "campaign") -> Counter[str]:
        """Claim again and again, keeping what was got; return how many of each were got."""
        held: Counter[str] = Counter()
        for _ in range(rounds):
            held.update(self.claim(limit, dict(held), lane=lane))
        return held

    def change(self, sql: str) -> None:
        """Change the rows behind the platform's back."""
        with self.database.begin() as connection:
            connection.execute(text(sql))


def _one(connection: Connection, sql: str, **values: Any) -> Any:
    return connection.execute(text(sql), values).scalar_one()
