"""The table of the fleet guard."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Table,
    text,
)

from core.database import metadata

# What gateways answered about tokens lately, by credential: only while some are refused. Workers
# add rows and the scheduler removes them; no row is ever changed.
token_answer = Table(
    "token_answer",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("app_id", BigInteger, nullable=False),
    Column("credential_id", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("answers", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Index("token_answer_credential_idx", "app_id", "credential_id", "at"),
    Index(
        "token_answer_refused_idx",
        "app_id",
        "credential_id",
        postgresql_where=text("refused > 0"),
    ),
)
