"""Receipts: what phones report of the pushes that reached them."""

from alembic import op
from sqlalchemy import Connection, text

from core.database import rows

revision = "0020"
down_revision = "0019"

_TABLE = """
CREATE TABLE receipt (
    app_id BIGINT NOT NULL,
    day DATE NOT NULL,
    message_id BIGINT NOT NULL,
    device_id BIGINT NOT NULL,
    milestone TEXT NOT NULL,
    person_id BIGINT,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    is_implied BOOLEAN NOT NULL DEFAULT false,
    CONSTRAINT receipt_pkey PRIMARY KEY (app_id, message_id, device_id, milestone, day),
    CONSTRAINT receipt_milestone_check CHECK (milestone IN ('confirmed', 'opened'))
) PARTITION BY RANGE (day);
CREATE INDEX receipt_person_idx ON receipt (app_id, person_id, message_id)
    WHERE person_id IS NOT NULL;
CREATE INDEX receipt_at_idx ON receipt (app_id, milestone, at);
"""
# Phones report what was sent before this, too: each month that has a ledger gets its receipts.
_MONTHS = """
SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'ledger'::regclass ORDER BY 1
"""


def upgrade() -> None:
    """Keep what phones report, beside the ledger."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_TABLE)
    connection: Connection = op.get_bind()
    for row in rows(connection, _MONTHS):
        name = row.name.replace("ledger", "receipt", 1)
        connection.execute(text(f"CREATE TABLE {name} PARTITION OF receipt {row.bounds}"))
