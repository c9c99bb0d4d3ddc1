"""The tables of attributes: what they are called, who has them, and how they have changed."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.database import metadata

_MOMENT = DateTime(timezone=True)

attribute = Table(
    "attribute",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("name", Text, nullable=False),
    Column("declared", Text),  # see segments/attributes/kinds.py; None: any kind may come
    Column("on_merge", Text, nullable=False, server_default="newest"),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "name"),
    CheckConstraint(
        "declared IN ('text', 'number', 'boolean', 'time', 'list', 'object')", name="declared"
    ),
    CheckConstraint("on_merge IN ('newest', 'keep', 'sum', 'min', 'max')", name="on_merge"),
    Index("attribute_id_idx", "app_id", "id"),
)

# How many people hold a value of this kind.
attribute_count = Table(
    "attribute_count",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("people", BigInteger, nullable=False),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "name", "kind"),
)

# What each statement changed about these counts, folded in each second: no hot counter row.
attribute_delta = Table(
    "attribute_delta",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("app_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("people", BigInteger, nullable=False),
    Index("attribute_delta_app_idx", "app_id"),
)

# Values as they were in the last sample; `is_whole` when everybody was in it.
attribute_profile = Table(
    "attribute_profile",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("values_seen", BigInteger, nullable=False),
    Column("distinct_values", BigInteger, nullable=False),
    Column("is_whole", Boolean, nullable=False),
    Column("examples", JSONB, nullable=False),
    PrimaryKeyConstraint("app_id", "name"),
)

attribute_scan = Table(
    "attribute_scan",
    metadata,
    Column("app_id", BigInteger, primary_key=True, autoincrement=False),
    Column("people", BigInteger, nullable=False),
    Column("at", _MOMENT, nullable=False),
)

# What was there before a change, and after it: from the present back to any moment that is kept.
# A person's own beginning needs no row.
person_change = Table(
    "person_change",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("cause", Text),
    Column("before", JSONB, nullable=False),
    Column("after", JSONB, nullable=False),
    Column("about_before", JSONB, nullable=False, server_default=text("'{}'")),
    Column("about_after", JSONB, nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("app_id", "at", "id"),
    Index("person_change_person_idx", "app_id", "person_id", "id"),
    postgresql_partition_by="RANGE (at)",
)
