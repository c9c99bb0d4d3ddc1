"""Events: consents, the names an app uses, and the outbox of what others want to know."""

from alembic import op

revision = "0009"
down_revision = "0008"

_STATEMENTS = """
ALTER TABLE app ADD COLUMN push_by_default BOOLEAN DEFAULT true NOT NULL;
ALTER TABLE app ADD COLUMN analytics_by_default BOOLEAN DEFAULT true NOT NULL;
CREATE TABLE consent (
    app_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    granted BOOLEAN NOT NULL,
    source TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT consent_pkey PRIMARY KEY (app_id, person_id, kind),
    CONSTRAINT consent_kind_check CHECK (kind IN ('push', 'analytics'))
);
CREATE TABLE consent_change (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    person_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    granted BOOLEAN NOT NULL,
    source TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT consent_change_pkey PRIMARY KEY (app_id, id)
);
CREATE INDEX consent_change_person_idx ON consent_change (app_id, person_id, id);
CREATE TABLE event_name (
    app_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT event_name_pkey PRIMARY KEY (app_id, name)
);
CREATE INDEX event_key_created_idx ON event_key USING brin (created_at);
CREATE TABLE outbox_subscription (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    kinds TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT outbox_subscription_pkey PRIMARY KEY (app_id, id)
);
CREATE TABLE outbox (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    subscription_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    facts JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    owner TEXT,
    CONSTRAINT outbox_pkey PRIMARY KEY (app_id, id)
);
CREATE INDEX outbox_due_idx ON outbox (due_at);
CREATE INDEX outbox_created_idx ON outbox USING brin (created_at);
-- A queue: rows live for seconds and change often.
ALTER TABLE outbox SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
"""


def upgrade() -> None:
    """Make the tables that events, consents and the outbox need beside `event`."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
