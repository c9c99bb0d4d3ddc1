"""The tables of segments: people and their events."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.database import metadata

_MOMENT = DateTime(timezone=True)

person = Table(
    "person",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("attributes", JSONB, nullable=False, server_default=text("'{}'")),
    Column("locale", Text),
    Column("time_zone", Text),
    Column("country", Text),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "id"),
    Index("person_external_idx", "app_id", "external_id", unique=True),
)

event = Table(
    "event",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("properties", JSONB, nullable=False, server_default=text("'{}'")),
    Column("at", _MOMENT, nullable=False),
    Column("received_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "at", "id"),
    Index("event_person_idx", "app_id", "person_id", "at"),
    postgresql_partition_by="RANGE (at)",
)

# Uniqueness can not live on a table partitioned by time: it lives here for 30 days.
event_key = Table(
    "event_key",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "uuid"),
    postgresql_partition_by="HASH (app_id, uuid)",
)
