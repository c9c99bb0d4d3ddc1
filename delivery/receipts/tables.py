"""The table of receipts, partitioned by the message's day as the ledger is."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from core.database import metadata

receipt = Table(
    "receipt",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("device_id", BigInteger, nullable=False),
    Column("milestone", Text, nullable=False),  # see delivery/receipts/receipt.py
    Column("person_id", BigInteger),  # as in the ledger: who it was sent to
    Column("at", DateTime(timezone=True), nullable=False),
    # Nobody reported the arrival of what was opened: it was concluded.
    Column("is_implied", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("app_id", "message_id", "device_id", "milestone", "day"),
    Index(
        "receipt_person_idx",
        "app_id",
        "person_id",
        "message_id",
        postgresql_where=text("person_id IS NOT NULL"),
    ),
    # Receipts come late: the day of the message bounds no window in which they came.
    Index("receipt_at_idx", "app_id", "milestone", "at"),
    postgresql_partition_by="RANGE (day)",
)
