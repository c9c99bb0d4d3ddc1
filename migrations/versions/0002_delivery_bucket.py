"""Deliveries over time: deltas know when they happened, and are rolled up into buckets too."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = """
ALTER TABLE message_delta
    ADD COLUMN at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL;
CREATE TABLE delivery_bucket (
    app_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    recipients BIGINT NOT NULL,
    CONSTRAINT delivery_bucket_pkey PRIMARY KEY (app_id, at, state)
);
CREATE INDEX delivery_bucket_at_idx ON delivery_bucket (at);
ALTER TABLE delivery_bucket SET (fillfactor = 50);
"""


def upgrade() -> None:
    """Give deltas their time and make the table of buckets."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
