"""Segments with all their versions, and suppressions."""

from alembic import op

revision = "0015"
down_revision = "0014"

_STATEMENTS = """
CREATE TABLE segment (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    rule JSONB NOT NULL,
    rule_hash TEXT NOT NULL,
    named_segments TEXT[] DEFAULT '{}' NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT segment_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT segment_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id),
    CONSTRAINT segment_public_id_key UNIQUE (public_id)
);
CREATE TABLE segment_version (
    app_id BIGINT NOT NULL,
    segment_id BIGINT NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    rule JSONB NOT NULL,
    rule_hash TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT segment_version_pkey PRIMARY KEY (app_id, segment_id, version),
    CONSTRAINT segment_version_app_id_segment_id_fkey FOREIGN KEY(app_id, segment_id)
        REFERENCES segment (app_id, id) ON DELETE CASCADE
);
CREATE TABLE suppression (
    app_id BIGINT NOT NULL,
    external_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    reason TEXT,
    source TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT suppression_pkey PRIMARY KEY (app_id, external_id),
    CONSTRAINT suppression_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id)
);
CREATE UNIQUE INDEX suppression_id_idx ON suppression (app_id, id);
"""


def upgrade() -> None:
    """Make the tables of segments and suppressions."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
