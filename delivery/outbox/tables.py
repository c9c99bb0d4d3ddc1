"""The tables of the outbox: who wants to know what, and what nobody has taken yet."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.database import metadata

_MOMENT = DateTime(timezone=True)

outbox_subscription = Table(
    "outbox_subscription",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("name", Text, nullable=False),
    Column("kinds", ARRAY(Text), nullable=False),  # see delivery/outbox/entry.py
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "id"),
)

# One row for each subscription and each thing that was done to a set: up to 500 facts.
outbox = Table(
    "outbox",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("subscription_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    # From when on it may be claimed; for one that is claimed, the end of the lease.
    Column("due_at", _MOMENT, nullable=False, server_default=func.now()),
    # Counted up by each claim; who took it before can no longer acknowledge it.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("owner", Text),
    PrimaryKeyConstraint("app_id", "id"),
    Index("outbox_due_idx", "due_at"),
    Index("outbox_created_idx", "created_at", postgresql_using="brin"),
)
