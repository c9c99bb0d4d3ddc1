"""People who became one: which person stands for an id that messages still hold."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table

from core.database import metadata

# Chunks and the ledger keep the ids they were written with: what was done stays as it was done.
person_successor = Table(
    "person_successor",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("into_id", BigInteger, nullable=False),  # never a person who has a successor
    PrimaryKeyConstraint("app_id", "person_id"),
    Index("person_successor_into_idx", "app_id", "into_id"),
)
