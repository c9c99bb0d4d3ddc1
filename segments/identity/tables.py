"""The tables of identity: the names of people, and merges with what they moved."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
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

# Every name that leads to a person: the one the person is called by, and aliases. Whoever stores
# the id of a person locks its name FOR KEY SHARE first: merges lock all names FOR UPDATE.
person_name = Table(
    "person_name",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("is_alias", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "external_id"),
    Index(
        "person_name_alias_idx",
        "app_id",
        "external_id",
        postgresql_include=["person_id"],
        postgresql_where=text("is_alias"),
    ),
    Index("person_name_of_idx", "app_id", "person_id", postgresql_where=text("is_alias")),
)

# The row of the person who is no more, and what the merge changed about the other one.
person_merge = Table(
    "person_merge",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("into_id", BigInteger, nullable=False),
    Column("into_external_id", Text, nullable=False),
    Column("from_id", BigInteger, nullable=False),
    Column("from_external_id", Text, nullable=False),
    Column("from_attributes", JSONB, nullable=False),
    Column("from_locale", Text),
    Column("from_time_zone", Text),
    Column("from_country", Text),
    Column("from_created_at", _MOMENT, nullable=False),
    Column("from_updated_at", _MOMENT, nullable=False),
    Column("names", ARRAY(Text), nullable=False),  # that led to the one and lead to the other
    Column("before", JSONB, nullable=False),
    Column("after", JSONB, nullable=False),
    Column("about_before", JSONB, nullable=False),
    Column("about_after", JSONB, nullable=False),
    Column("counts", JSONB, nullable=False),
    Column("merged_at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Column("undone_at", _MOMENT),
    PrimaryKeyConstraint("app_id", "id"),
    Index("person_merge_into_idx", "app_id", "into_id", "id"),
    Index("person_merge_from_idx", "app_id", "from_id", "id"),
)

# What moved, kept for as long as the merge can be undone.
person_merge_move = Table(
    "person_merge_move",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("merge_id", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("ids", ARRAY(BigInteger), nullable=False),
    Column("moments", ARRAY(_MOMENT)),
    Column("detail", JSONB),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "merge_id", "what"),
    Index("person_merge_move_created_idx", "created_at"),
)
