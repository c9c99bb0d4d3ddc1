"""Imports take turns by app, and one that stops its workers again and again is found out."""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = """
ALTER TABLE import_job
    ADD COLUMN stalls BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN served_at TIMESTAMP WITH TIME ZONE;
CREATE INDEX import_job_served_idx ON import_job (app_id, served_at);
"""


def upgrade() -> None:
    """Note when an import was last worked on, and how often in vain."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
