"""The tables of watched segments; see docs/why/triggers.md."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
)

from core.database import metadata

_MOMENT = DateTime(timezone=True)


def _of_watch() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["app_id", "segment_id"],
        ["segment_watch.app_id", "segment_watch.segment_id"],
        ondelete="CASCADE",
    )


segment_watch = Table(
    "segment_watch",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("segment_id", BigInteger, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    # When all members were last compared; until the first time nothing is told.
    Column("compared_at", _MOMENT),
    PrimaryKeyConstraint("app_id", "segment_id"),
    ForeignKeyConstraint(
        ["app_id", "segment_id"], ["segment.app_id", "segment.id"], ondelete="CASCADE"
    ),
)

# What the rule reads, with those of the segments it leads to.
segment_mention = Table(
    "segment_mention",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("what", Text, nullable=False),  # event, attribute, about
    Column("name", Text, nullable=False),
    Column("segment_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "what", "name", "segment_id"),
    _of_watch(),
)

segment_member = Table(
    "segment_member",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("segment_id", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "segment_id", "person_id"),
    _of_watch(),
)

# Who may have entered or left; written by triggers of `event`, `person` and `consent`.
segment_doubt = Table(
    "segment_doubt",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("segment_id", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "id"),
)
