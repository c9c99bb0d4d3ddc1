"""Imports: jobs with their progress, and the lines that could not be taken."""

from alembic import op

revision = "0003"
down_revision = "0002"

_TABLES = """
CREATE TABLE import_job (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    size BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    options JSONB NOT NULL,
    stored_as TEXT,
    position BIGINT DEFAULT 0 NOT NULL,
    line BIGINT DEFAULT 0 NOT NULL,
    bytes_read BIGINT DEFAULT 0 NOT NULL,
    records BIGINT DEFAULT 0 NOT NULL,
    created BIGINT DEFAULT 0 NOT NULL,
    updated BIGINT DEFAULT 0 NOT NULL,
    unchanged BIGINT DEFAULT 0 NOT NULL,
    failed BIGINT DEFAULT 0 NOT NULL,
    failed_reason TEXT,
    fence BIGINT DEFAULT 0 NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    lease_owner TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT import_job_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT import_job_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id),
    CONSTRAINT import_job_public_id_key UNIQUE (public_id),
    CONSTRAINT import_job_kind_check CHECK (kind IN ('people', 'devices')),
    CONSTRAINT import_job_state_check
        CHECK (state IN ('pending', 'running', 'finished', 'failed', 'cancelled')),
    -- Every record read has exactly one fate.
    CONSTRAINT import_job_sum_check
        CHECK (records = created + updated + unchanged + failed)
);
CREATE INDEX import_job_due_idx ON import_job (id)
    WHERE state IN ('pending', 'running') AND stored_as IS NOT NULL;
CREATE INDEX import_job_file_idx ON import_job (app_id, digest);
CREATE TABLE import_error (
    app_id BIGINT NOT NULL,
    job_id BIGINT NOT NULL,
    line BIGINT NOT NULL,
    errors JSONB NOT NULL,
    CONSTRAINT import_error_pkey PRIMARY KEY (app_id, job_id, line),
    CONSTRAINT import_error_app_id_job_id_fkey FOREIGN KEY(app_id, job_id)
        REFERENCES import_job (app_id, id) ON DELETE CASCADE
);
"""


def upgrade() -> None:
    """Create the tables of imports."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_TABLES)
