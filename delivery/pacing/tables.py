"""The tables of pacing: permits while Redis is away, ramps, who gives the permits, budgets."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from core.database import metadata

_MOMENT = DateTime(timezone=True)

# What each paced scope (a quota, a message) has: the moments of its next permits while Redis is
# away, and how far a quota has come up its ramp.
pace = Table(
    "pace",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("arrival_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("per_second", Double),  # the rate at which `arrival_at` was reckoned
    Column("reserved_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("slow_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("level", Double),  # the share of the quota that may be used
    Column("level_at", _MOMENT),
    Column("pushes", BigInteger, nullable=False, server_default=text("0")),  # since then
)

# One row: who gives the permits, Redis or PostgreSQL.
pacer = Table(
    "pacer",
    metadata,
    Column("id", SmallInteger, primary_key=True, server_default=text("1")),
    Column("installation", Uuid, nullable=False, server_default=func.gen_random_uuid()),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("live", Text, nullable=False, server_default="redis"),  # redis, postgresql
    Column("stay_seconds", Double, nullable=False, server_default=text("5")),
    Column("switched_at", _MOMENT, nullable=False, server_default="2000-01-01T00:00:00Z"),
)

# FCM's budget of collapsible messages: when the next one of each registration is free again.
collapse_budget = Table(
    "collapse_budget",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("target_id", BigInteger, nullable=False),
    Column("arrival_at", _MOMENT, nullable=False),
    PrimaryKeyConstraint("app_id", "target_id"),
    Index("collapse_budget_arrival_idx", "arrival_at"),
)
