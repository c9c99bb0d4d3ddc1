"""The ledger of ends, and the attempts before them. Both are partitioned by the message's day."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)

from core.database import metadata

_MOMENT = DateTime(timezone=True)

ledger = Table(
    "ledger",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("device_id", BigInteger),
    Column("person_id", BigInteger),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("gateway", Text),  # the gateway's own words or id
    Column("attempt", Integer, nullable=False),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    # One row for a device, and one for a person without any device.
    Index(
        "ledger_device_idx",
        "app_id",
        "message_id",
        "device_id",
        "day",
        unique=True,
        postgresql_where=text("device_id IS NOT NULL"),
    ),
    Index(
        "ledger_person_idx",
        "app_id",
        "message_id",
        "person_id",
        "day",
        unique=True,
        postgresql_where=text("device_id IS NULL"),
    ),
    Index(
        "ledger_history_idx",
        "app_id",
        "person_id",
        "message_id",
        postgresql_where=text("person_id IS NOT NULL"),
    ),
    # So each row is in one index of histories: its person's, or that of a device without one.
    Index(
        "ledger_anonymous_idx",
        "app_id",
        "device_id",
        "message_id",
        postgresql_where=text("person_id IS NULL"),
    ),
    Index(
        "ledger_dead_idx",
        "app_id",
        "message_id",
        "at",
        "state",
        "reason",
        postgresql_where=text("state IN ('gone', 'rejected', 'expired', 'unknown')"),
    ),
    postgresql_partition_by="RANGE (day)",
)

# Attempts after which a recipient went on in a new chunk: the ledger has its end only.
attempt_log = Table(
    "attempt_log",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("device_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("due_at", _MOMENT, nullable=False),
    Index("attempt_log_device_idx", "app_id", "message_id", "device_id"),
    postgresql_partition_by="RANGE (day)",
)
