"""Faults of credentials: pauses that are probed, platforms on hold, the fleet guard, suspects."""

from alembic import op

revision = "0008"
down_revision = "0007"

# Who made a target suspect decides whether that is taken back or believed. Suspects from before
# have nobody who could say, and stay suspect until they are registered again.
_STATEMENTS = """
ALTER TABLE credential
    ADD COLUMN paused_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN probe_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN probes INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN held_platforms TEXT[],
    ADD COLUMN hold_reason TEXT,
    ADD COLUMN hold_text TEXT,
    ADD COLUMN held_until TIMESTAMP WITH TIME ZONE,
    ADD COLUMN holds INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN guard_rests_until TIMESTAMP WITH TIME ZONE;
UPDATE credential SET paused_at = clock_timestamp(), probe_at = clock_timestamp()
    WHERE state = 'paused';
CREATE INDEX credential_probe_idx ON credential (probe_at) WHERE state = 'paused';
CREATE TABLE credential_event (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    app_id BIGINT NOT NULL,
    credential_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT,
    words TEXT,
    actor TEXT,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT credential_event_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT credential_event_app_id_credential_id_fkey FOREIGN KEY (app_id, credential_id)
        REFERENCES credential (app_id, id),
    CONSTRAINT credential_event_kind_check CHECK (kind IN ('paused', 'resumed', 'held', 'released'))
);
CREATE INDEX credential_event_credential_idx ON credential_event (app_id, credential_id, id);
CREATE TABLE token_answer (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    app_id BIGINT NOT NULL,
    credential_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    answers INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    CONSTRAINT token_answer_pkey PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX token_answer_credential_idx ON token_answer (app_id, credential_id, at);
CREATE INDEX token_answer_refused_idx ON token_answer (app_id, credential_id) WHERE refused > 0;
ALTER TABLE target ADD COLUMN suspect_credential_id BIGINT;
CREATE INDEX target_ended_idx ON target (app_id, state, suspect_credential_id, provider,
    environment, state_reason) WHERE state <> 'active';
"""


def upgrade() -> None:
    """Let pauses end by themselves, and verdicts about tokens be taken back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
