"""SQL of provider credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from delivery.tables import credential


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A credential as stored; `sealed` holds its secret."""

    id: int
    public_id: str
    provider: str
    kind: str
    name: str
    environment: str | None
    topic: str | None
    project_id: str | None
    sealed: bytes = field(repr=False)
    state: str
    reason: str | None
    reason_text: str | None
    frozen_until: datetime | None
    paused_at: datetime | None
    probe_at: datetime | None
    held_platforms: list[str] | None
    hold_reason: str | None
    hold_text: str | None
    held_until: datetime | None
    guard_rests_until: datetime | None
    quota_per_minute: int | None
    created_at: datetime
    updated_at: datetime


_COLUMNS = tuple(credential.c[name] for name in CredentialRow.__dataclass_fields__)


def add(connection: Connection, app_id: int, values: Mapping[str, Any]) -> CredentialRow:
    """Store a credential; `values` are columns, the secret already sealed."""
    statement = sa.insert(credential).values(app_id=app_id, **values).returning(*_COLUMNS)
    return CredentialRow(*connection.execute(statement).one())


def find(
    connection: Connection, app_id: int, public_id: str, *, lock: bool = False
) -> CredentialRow | None:
    """Return one credential of an app, retired or not."""
    statement = sa.select(*_COLUMNS).where(
        credential.c.app_id == app_id, credential.c.public_id == public_id
    )
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return CredentialRow(*row) if row else None


def find_by_id(connection: Connection, app_id: int, credential_id: int) -> CredentialRow | None:
    """Return one credential of an app by its inner id."""
    statement = sa.select(*_COLUMNS).where(
        credential.c.app_id == app_id, credential.c.id == credential_id
    )
    row = connection.execute(statement).first()
    return CredentialRow(*row) if row else None


def list_after(connection: Connection, app_id: int, after: int, limit: int) -> list[CredentialRow]:
    """Return credentials that are not retired, in the order they were made."""
    statement = (
        sa.select(*_COLUMNS)
        .where(
            credential.c.app_id == app_id,
            credential.c.id > after,
            credential.c.state != "retired",
        )
        .order_by(credential.c.id)
        .limit(limit)
    )
    return [CredentialRow(*row) for row in connection.execute(statement)]


def change(
    connection: Connection, app_id: int, credential_id: int, values: Mapping[str, Any]
) -> CredentialRow:
    """Set columns of one credential and return it."""
    statement = (
        sa.update(credential)
        .where(credential.c.app_id == app_id, credential.c.id == credential_id)
        .values(**values, updated_at=sa.func.now())
        .returning(*_COLUMNS)
    )
    return CredentialRow(*connection.execute(statement).one())
