"""Traces and dead letters: why a push was tried again, what replays what, and their indexes."""

from datetime import UTC, datetime

from alembic import op

from core.database import create_month_partitions

revision = "0007"
down_revision = "0006"

_STATEMENTS = """
CREATE TABLE attempt_log (
    app_id BIGINT NOT NULL,
    day DATE NOT NULL,
    message_id BIGINT NOT NULL,
    device_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX attempt_log_device_idx ON attempt_log (app_id, message_id, device_id);
ALTER TABLE message ADD COLUMN replay_of TEXT;
ALTER TABLE message ADD CONSTRAINT message_replay_of_fkey
    FOREIGN KEY (replay_of) REFERENCES message (public_id);
CREATE INDEX message_replay_idx ON message (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX message_delivery_idx
    ON message (app_id, substr(encode(sha256(public_id::bytea), 'hex'), 1, 15));
CREATE INDEX ledger_anonymous_idx ON ledger (app_id, device_id, message_id)
    WHERE person_id IS NULL;
CREATE INDEX ledger_dead_idx ON ledger (app_id, message_id, at, state, reason)
    WHERE state IN ('gone', 'rejected', 'expired', 'unknown');
"""


def upgrade() -> None:
    """Keep retries, and let deliveries and dead letters be found among many."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
    create_month_partitions(op.get_bind(), ("attempt_log",), datetime.now(UTC).date())
