"""Which message a newer one supersedes, and which key has its successor already."""

from alembic import op

revision = "0013"
down_revision = "0012"

_STATEMENTS = """
CREATE INDEX message_collapse_idx ON message (app_id, collapse_id, id)
    WHERE collapse_id IS NOT NULL AND finished_at IS NULL;
ALTER TABLE api_key ADD COLUMN rotated_at TIMESTAMP WITH TIME ZONE;
"""


def upgrade() -> None:
    """Find the messages under way by their collapse id, and remember that a key was rotated."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
