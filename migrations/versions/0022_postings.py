"""Postings: ends that a large cut decides, until they are in the ledger; chunks uncompressed."""

from alembic import op

revision = "0022"
down_revision = "0021"

# A queue: rows live for seconds.
_STATEMENTS = """
CREATE TABLE posting (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    message_id BIGINT NOT NULL,
    day DATE NOT NULL,
    reason TEXT NOT NULL,
    device_ids BIGINT[] NOT NULL,
    person_ids BIGINT[] NOT NULL,
    recipients INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT posting_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT posting_app_id_message_id_fkey FOREIGN KEY(app_id, message_id)
        REFERENCES message (app_id, id),
    CONSTRAINT posting_arrays_check CHECK (cardinality(device_ids) = recipients
        AND cardinality(person_ids) = recipients)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0);
CREATE INDEX posting_turn_idx ON posting (id);
CREATE INDEX posting_message_idx ON posting (app_id, message_id);
-- To compress them takes longer than to write them, and each check of a row unpacks them again.
ALTER TABLE posting ALTER COLUMN device_ids SET STORAGE EXTERNAL,
    ALTER COLUMN person_ids SET STORAGE EXTERNAL;
ALTER TABLE chunk ALTER COLUMN device_ids SET STORAGE EXTERNAL,
    ALTER COLUMN person_ids SET STORAGE EXTERNAL;
"""


def upgrade() -> None:
    """Make the table, which is empty at first; what is in chunks stays as it is."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
