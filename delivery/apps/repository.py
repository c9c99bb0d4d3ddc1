"""SQL of apps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from delivery.tables import app


@dataclass(frozen=True, slots=True)
class AppRow:
    """An app without its secret."""

    id: int
    public_id: str
    name: str
    weight: int
    push_by_default: bool
    analytics_by_default: bool
    created_at: datetime


_COLUMNS = tuple(app.c[name] for name in AppRow.__dataclass_fields__)


def add(connection: Connection, public_id: str, name: str, identity_secret: bytes) -> AppRow:
    """Store an app; `identity_secret` is sealed."""
    values = {"public_id": public_id, "name": name, "identity_secret": identity_secret}
    return AppRow(*connection.execute(sa.insert(app).values(values).returning(*_COLUMNS)).one())


def find(connection: Connection, app_id: int) -> AppRow:
    """Return the app with this inner id, which must exist."""
    return AppRow(*connection.execute(sa.select(*_COLUMNS).where(app.c.id == app_id)).one())


def change(connection: Connection, app_id: int, values: Mapping[str, Any]) -> AppRow:
    """Set `values` on the app with this inner id, which must exist."""
    statement = sa.update(app).where(app.c.id == app_id).values(**values).returning(*_COLUMNS)
    return AppRow(*connection.execute(statement).one())


def list_after(connection: Connection, after: int, limit: int) -> list[AppRow]:
    """Return apps in the order they were made, beginning behind the inner id `after`."""
    statement = sa.select(*_COLUMNS).where(app.c.id > after).order_by(app.c.id).limit(limit)
    return [AppRow(*row) for row in connection.execute(statement)]


def identity_secret(connection: Connection, app_id: int) -> bytes:
    """Return the sealed secret that signs who a device belongs to."""
    sealed: bytes = connection.execute(
        sa.select(app.c.identity_secret).where(app.c.id == app_id)
    ).scalar_one()
    return sealed
