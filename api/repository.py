"""SQL of the doors: keys, stored answers and the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from api.principal import OPERATOR
from api.tables import api_key, audit, idempotency
from core.database import rows
from delivery.tables import app


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as its owner may see it: everything but the secret."""

    id: int
    public_id: str
    app_id: int | None
    kind: str
    name: str
    scopes: Sequence[str]
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be stored."""

    app_id: int | None
    public_id: str
    kind: str
    name: str
    scopes: Sequence[str]
    secret_hash: bytes
    hint: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key found by its secret, with its app."""

    id: int
    public_id: str
    kind: str
    scopes: Sequence[str]
    app_id: int | None
    app_public_id: str | None
    is_revoked: bool
    is_expired: bool
    is_use_unnoted: bool


_KEY_COLUMNS = tuple(api_key.c[name] for name in KeyRow.__dataclass_fields__)


def find_by_secret(connection: Connection, secret_hash: bytes) -> FoundKey | None:
    """Return the key whose secret has this hash, dead or alive."""
    noted_since = sa.func.now() - sa.text("interval '1 minute'")
    row = connection.execute(
        sa.select(
            api_key.c.id,
            api_key.c.public_id,
            api_key.c.kind,
            api_key.c.scopes,
            api_key.c.app_id,
            app.c.public_id,
            api_key.c.revoked_at.is_not(None),
            sa.func.coalesce(api_key.c.expires_at <= sa.func.now(), sa.false()),
            sa.func.coalesce(api_key.c.last_used_at < noted_since, sa.true()),
        )
        .outerjoin_from(api_key, app, app.c.id == api_key.c.app_id)
        .where(api_key.c.secret_hash == secret_hash)
    ).first()
    return FoundKey(*row) if row else None


def note_use(connection: Connection, key_id: int) -> None:
    """Write down that a key is in use; never waits for another request that does the same."""
    mine = (
        sa.select(api_key.c.id).where(api_key.c.id == key_id).with_for_update(skip_locked=True)
    ).scalar_subquery()
    connection.execute(
        sa.update(api_key).where(api_key.c.id == mine).values(last_used_at=sa.func.now())
    )


def find_app(connection: Connection, public_id: str) -> int | None:
    """Return the id of the app with this public id."""
    return connection.scalar(sa.select(app.c.id).where(app.c.public_id == public_id))


def add_key(connection: Connection, key: NewKey) -> KeyRow:
    """Store a key."""
    values = {name: getattr(key, name) for name in NewKey.__dataclass_fields__}
    row = connection.execute(sa.insert(api_key).values(values).returning(*_KEY_COLUMNS)).one()
    return KeyRow(*row)


def list_keys(connection: Connection, app_id: int, after: int, limit: int) -> list[KeyRow]:
    """Return living keys of an app in the order they were made."""
    statement = (
        sa.select(*_KEY_COLUMNS)
        .where(api_key.c.app_id == app_id, api_key.c.revoked_at.is_(None), api_key.c.id > after)
        .order_by(api_key.c.id)
        .limit(limit)
    )
    return [KeyRow(*row) for row in connection.execute(statement)]


def find_key(connection: Connection, app_id: int, public_id: str) -> KeyRow | None:
    """Return one living key and lock it until the transaction ends."""
    row = connection.execute(
        sa.select(*_KEY_COLUMNS)
        .where(
            api_key.c.app_id == app_id,
            api_key.c.public_id == public_id,
            api_key.c.revoked_at.is_(None),
        )
        .with_for_update()
    ).first()
    return KeyRow(*row) if row else None


def expire_rotated(connection: Connection, key_id: int, overlap_seconds: int) -> bool:
    """Let a key live for `overlap_seconds` more, or less if it expires before.

    False, and nothing is changed, when it was rotated already.
    """
    end = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, overlap_seconds)
    changed = connection.execute(
        sa.update(api_key)
        .where(api_key.c.id == key_id, api_key.c.rotated_at.is_(None))
        .values(expires_at=sa.func.least(end, api_key.c.expires_at), rotated_at=sa.func.now())
    )
    return changed.rowcount == 1


def revoke_key(connection: Connection, key_id: int) -> None:
    """End a key at once."""
    connection.execute(
        sa.update(api_key).where(api_key.c.id == key_id).values(revoked_at=sa.func.now())
    )


def has_operator(connection: Connection) -> bool:
    """Tell whether any living key reaches every app."""
    living = api_key.c.revoked_at.is_(None) & (sa.literal(OPERATOR) == sa.any_(api_key.c.scopes))
    return bool(connection.scalar(sa.select(sa.exists().where(living))))


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer given before under an idempotency key, still sealed."""

    body_hash: bytes
    status: int
    answer: bytes


def try_locks(connection: Connection, numbers: Sequence[int]) -> set[int]:
    """Take the transaction's advisory locks on `numbers`; return those nobody else holds."""
    found = rows(
        connection,
        """SELECT number, pg_try_advisory_xact_lock(number) AS is_ours
           FROM unnest(CAST(:numbers AS int8[])) AS wanted(number)""",
        numbers=list(numbers),
    )
    return {row.number for row in found if row.is_ours}


def find_answers(
    connection: Connection, app_id: int, key_hashes: Sequence[bytes], hours: int
) -> dict[bytes, StoredAnswer]:
    """Return the answers stored within the last `hours`, by their keys."""
    found = rows(
        connection,
        """SELECT key_hash, body_hash, status, answer FROM idempotency
           WHERE app_id = :app_id AND key_hash = ANY(CAST(:keys AS bytea[]))
             AND created_at > now() - make_interval(hours => :hours)""",
        app_id=app_id,
        keys=list(key_hashes),
        hours=hours,
    )
    return {row.key_hash: StoredAnswer(*row[1:]) for row in found}


def store_answers(
    connection: Connection, app_id: int, answers: Mapping[bytes, StoredAnswer]
) -> None:
    """Store answers by their keys, in the place of those that have become too old to count."""
    values = [
        {
            "app_id": app_id,
            "key_hash": key_hash,
            "body_hash": one.body_hash,
            "status": one.status,
            "answer": one.answer,
        }
        for key_hash, one in sorted(answers.items())
    ]
    statement = insert(idempotency).values(values)
    replaced = {name: statement.excluded[name] for name in ("body_hash", "status", "answer")}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["app_id", "key_hash"], set_={**replaced, "created_at": sa.func.now()}
        )
    )


def add_audit(connection: Connection, entry: Mapping[str, Any]) -> None:
    """Append one entry to the audit log."""
    connection.execute(sa.insert(audit).values(entry))


def schema_version(connection: Connection) -> str | None:
    """Return the number of the newest migration this database has seen, if any."""
    known = connection.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    if not known:
        return None
    version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return version
