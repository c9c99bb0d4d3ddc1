"""The tables of segments: people, their consents and events, and static lists."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
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

# Without a row the app's default holds.
consent = Table(
    "consent",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # push, analytics
    Column("granted", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "person_id", "kind"),
    CheckConstraint("kind IN ('push', 'analytics')", name="kind"),
)

# Append-only: every change of a consent, in the order in which they were made.
consent_change = Table(
    "consent_change",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "id"),
    Index("consent_change_person_idx", "app_id", "person_id", "id"),
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
    # Who did something when, read from the index alone.
    Index("event_name_idx", "app_id", "name", "at", "person_id"),
    postgresql_partition_by="RANGE (at)",
)

# What each person did on each day (UTC): how often, when first and last. Triggers of `event` keep
# it equal to the events in every transaction, whoever writes, moves or removes them.
event_day = Table(
    "event_day",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("first_at", _MOMENT, nullable=False),
    Column("last_at", _MOMENT, nullable=False),
    PrimaryKeyConstraint("app_id", "name", "day", "person_id"),
)

# The same of all days together: so "ever" and "the last time" need no days.
event_total = Table(
    "event_total",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("first_at", _MOMENT, nullable=False),
    Column("last_at", _MOMENT, nullable=False),
    PrimaryKeyConstraint("app_id", "name", "person_id"),
)

# Uniqueness can not live on a table partitioned by time: it lives here for 30 days.
event_key = Table(
    "event_key",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "uuid"),
    Index("event_key_created_idx", "created_at", postgresql_using="brin"),
    postgresql_partition_by="HASH (app_id, uuid)",
)

# The names of events an app has used: how many there may be is limited.
event_name = Table(
    "event_name",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "name"),
)

# A static list: people named by hand or by a file.
segment_list = Table(
    "segment_list",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "id"),
)

list_member = Table(
    "list_member",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("list_id", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "list_id", "person_id"),
    ForeignKeyConstraint(
        ["app_id", "list_id"], ["segment_list.app_id", "segment_list.id"], ondelete="CASCADE"
    ),
    Index("list_member_person_idx", "app_id", "person_id"),
)
