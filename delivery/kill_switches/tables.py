"""The table of kill switches."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Table,
    Text,
    func,
)

from core.database import metadata

_MOMENT = DateTime(timezone=True)

# A row is a switch that is on: without an app for everybody, without a credential for an app.
kill_switch = Table(
    "kill_switch",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("app_id", BigInteger, ForeignKey("app.id")),
    Column("credential_id", BigInteger),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False),  # the public id of a key
    Column("set_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    ForeignKeyConstraint(["app_id", "credential_id"], ["credential.app_id", "credential.id"]),
    CheckConstraint("app_id IS NOT NULL OR credential_id IS NULL", name="level"),
    Index(
        "kill_switch_level_idx",
        "app_id",
        "credential_id",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
)
