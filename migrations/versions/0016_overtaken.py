"""Which newer messages have the same collapse id, when they are finished, too."""

from alembic import op

revision = "0016"
down_revision = "0015"

_STATEMENTS = """
DROP INDEX message_collapse_idx;
CREATE INDEX message_collapse_idx ON message (app_id, collapse_id, id)
    WHERE collapse_id IS NOT NULL;
"""


def upgrade() -> None:
    """Keep messages in the index when they finish."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
