"""The table of what became of credentials."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
)

from core.database import metadata

credential_event = Table(
    "credential_event",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("credential_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # paused, resumed, held, released
    Column("reason", Text),
    Column("words", Text),
    Column("actor", Text),  # the public id of a key; nobody where it came by itself
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("app_id", "id"),
    ForeignKeyConstraint(["app_id", "credential_id"], ["credential.app_id", "credential.id"]),
    CheckConstraint("kind IN ('paused', 'resumed', 'held', 'released')", name="kind"),
    Index("credential_event_credential_idx", "app_id", "credential_id", "id"),
)
