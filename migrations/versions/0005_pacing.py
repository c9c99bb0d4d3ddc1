"""Pacing: who gives the permits, ramps, what 429s taught, and fair shares of the workers."""

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS = """
CREATE TABLE pacer (
    id SMALLINT DEFAULT 1 NOT NULL,
    installation UUID DEFAULT gen_random_uuid() NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    live TEXT DEFAULT 'redis' NOT NULL,
    stay_seconds DOUBLE PRECISION DEFAULT 5 NOT NULL,
    switched_at TIMESTAMP WITH TIME ZONE DEFAULT '2000-01-01T00:00:00Z' NOT NULL,
    CONSTRAINT pacer_pkey PRIMARY KEY (id),
    CONSTRAINT pacer_single_check CHECK (id = 1),
    CONSTRAINT pacer_live_check CHECK (live IN ('redis', 'postgresql'))
);
INSERT INTO pacer DEFAULT VALUES;
ALTER TABLE pacer SET (fillfactor = 50);
ALTER TABLE pace
    ALTER COLUMN arrival_at SET DEFAULT clock_timestamp(),
    ADD COLUMN per_second DOUBLE PRECISION,
    ADD COLUMN reserved_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ADD COLUMN slow_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ADD COLUMN level DOUBLE PRECISION,
    ADD COLUMN level_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN pushes BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE credential
    ADD COLUMN learned_share DOUBLE PRECISION,
    ADD COLUMN learned_at TIMESTAMP WITH TIME ZONE;
CREATE TABLE collapse_budget (
    app_id BIGINT NOT NULL,
    target_id BIGINT NOT NULL,
    arrival_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT collapse_budget_pkey PRIMARY KEY (app_id, target_id)
);
CREATE INDEX collapse_budget_arrival_idx ON collapse_budget (arrival_at);
ALTER TABLE app ADD COLUMN weight INTEGER DEFAULT 1 NOT NULL;
ALTER TABLE app ADD CONSTRAINT app_weight_check CHECK (weight BETWEEN 1 AND 100);
ALTER TABLE message ADD COLUMN weight INTEGER DEFAULT 1 NOT NULL;
ALTER TABLE message ADD CONSTRAINT message_weight_check CHECK (weight BETWEEN 1 AND 100);
CREATE INDEX chunk_share_idx ON chunk (app_id, message_id, credential_id, due_at)
    WHERE lane = 'campaign';
CREATE INDEX chunk_app_due_idx ON chunk (app_id, credential_id, due_at)
    WHERE lane = 'transactional';
"""


def upgrade() -> None:
    """Keep what pacing must not forget, and let claims be fair."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
