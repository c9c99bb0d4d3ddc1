"""Ends that were decided by the cut of a large audience and are not in the ledger yet."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from core.database import metadata

# Up to a chunk's worth of recipients of one message who are suppressed for one reason. They count
# as open until they are in the ledger. See docs/why/postings.md.
posting = Table(
    "posting",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("day", Date, nullable=False),  # of the message, as in the ledger
    Column("reason", Text, nullable=False),
    # Parallel arrays: position i is the recipient (person_ids[i], device_ids[i]).
    Column("device_ids", ARRAY(BigInteger), nullable=False),
    Column("person_ids", ARRAY(BigInteger), nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),  # when it was decided
    PrimaryKeyConstraint("app_id", "id"),
    ForeignKeyConstraint(["app_id", "message_id"], ["message.app_id", "message.id"]),
    Index("posting_turn_idx", "id"),
    Index("posting_message_idx", "app_id", "message_id"),
)
