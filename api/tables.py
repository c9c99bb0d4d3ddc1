"""The tables of the doors: keys, stored answers and the audit log."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.database import metadata

_MOMENT = DateTime(timezone=True)

api_key = Table(
    "api_key",
    metadata,
    # Null for an operator's key that is not bound to one app.
    Column("app_id", BigInteger, ForeignKey("app.id")),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # admin, server, client
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("hint", Text, nullable=False),  # the first characters, to tell keys apart
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("last_used_at", _MOMENT),
    Column("expires_at", _MOMENT),
    Column("revoked_at", _MOMENT),
    Column("rotated_at", _MOMENT),  # when it got its one successor
    Index("api_key_app_idx", "app_id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    # SHA-256 of the principal, the route and the key the caller chose.
    Column("key_hash", LargeBinary, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "key_hash"),
    Index("idempotency_created_idx", "created_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("app_id", BigInteger),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("at", _MOMENT, nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    PrimaryKeyConstraint("at", "id"),
    Index("audit_app_idx", "app_id", "at"),
    postgresql_partition_by="RANGE (at)",
)
