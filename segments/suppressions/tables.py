"""The table of suppressions: who is never sent to, by name."""

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
    func,
)

from core.database import metadata

# A name, not a person: it may be that of somebody who is not known yet, and a merge that gives
# the name to another person takes the suppression with it.
suppression = Table(
    "suppression",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("reason", Text),
    Column("source", Text, nullable=False),  # the key that wrote it
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "external_id"),
    Index("suppression_id_idx", "app_id", "id", unique=True),
)
