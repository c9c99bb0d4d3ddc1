"""The tables of segments: what each is called and whom it means, now and before."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
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

segment = Table(
    "segment",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("rule", JSONB, nullable=False),  # as it was written
    Column("rule_hash", Text, nullable=False),  # of its canonical form
    # The public ids of the segments that the rule itself names.
    Column("named_segments", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "id"),
)

# Every version, the present one too; none is ever changed.
segment_version = Table(
    "segment_version",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("segment_id", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("rule", JSONB, nullable=False),
    Column("rule_hash", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "segment_id", "version"),
    ForeignKeyConstraint(
        ["app_id", "segment_id"], ["segment.app_id", "segment.id"], ondelete="CASCADE"
    ),
)
