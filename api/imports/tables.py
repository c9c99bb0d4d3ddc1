"""The tables of imports: jobs with their progress, and the lines that could not be taken."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.database import metadata

_MOMENT = DateTime(timezone=True)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


import_job = Table(
    "import_job",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # people, devices, events
    Column("state", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the file as it came
    Column("options", JSONB, nullable=False),
    # Where workers find the file. Null when a command reads it from its own disk.
    Column("stored_as", Text),
    # Everything before this byte of the unpacked file, and this line of it, is committed.
    _count("position"),
    _count("line"),
    _count("bytes_read"),  # of the file as it came
    _count("records"),
    _count("created"),
    _count("updated"),
    _count("unchanged"),
    _count("failed"),
    Column("failed_reason", Text),
    _count("fence"),
    Column("lease_until", _MOMENT),
    Column("lease_owner", Text),
    # How many workers have left it, one after the other, without getting any further.
    _count("stalls"),
    Column("served_at", _MOMENT),  # when a worker last took it
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("started_at", _MOMENT),
    Column("finished_at", _MOMENT),
    PrimaryKeyConstraint("app_id", "id"),
    Index("import_job_file_idx", "app_id", "digest"),
    Index("import_job_served_idx", "app_id", "served_at"),
    Index(
        "import_job_due_idx",
        "id",
        postgresql_where=text("state IN ('pending', 'running') AND stored_as IS NOT NULL"),
    ),
)

import_error = Table(
    "import_error",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("job_id", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("errors", JSONB, nullable=False),  # [{pointer, column, code, message}]
    PrimaryKeyConstraint("app_id", "job_id", "line"),
    ForeignKeyConstraint(
        ["app_id", "job_id"], ["import_job.app_id", "import_job.id"], ondelete="CASCADE"
    ),
)
