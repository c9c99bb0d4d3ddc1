"""First light: apps, keys, people, devices, messages, chunks and the ledger."""

from datetime import UTC, datetime

from alembic import op

from core.database import create_month_partitions

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE app (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    name TEXT NOT NULL,
    identity_secret BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT app_pkey PRIMARY KEY (id),
    CONSTRAINT app_public_id_key UNIQUE (public_id)
);
CREATE TABLE audit (
    app_id BIGINT,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail JSONB NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX audit_app_idx ON audit (app_id, at);
CREATE TABLE event (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    person_id BIGINT NOT NULL,
    uuid UUID NOT NULL,
    name TEXT NOT NULL,
    properties JSONB DEFAULT '{}' NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (app_id, at, id)
) PARTITION BY RANGE (at);
CREATE INDEX event_person_idx ON event (app_id, person_id, at);
CREATE TABLE event_key (
    app_id BIGINT NOT NULL,
    uuid UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT event_key_pkey PRIMARY KEY (app_id, uuid)
) PARTITION BY HASH (app_id, uuid);
CREATE TABLE idempotency (
    app_id BIGINT NOT NULL,
    key_hash BYTEA NOT NULL,
    body_hash BYTEA NOT NULL,
    status INTEGER NOT NULL,
    answer BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (app_id, key_hash)
);
CREATE INDEX idempotency_created_idx ON idempotency (created_at);
CREATE TABLE ledger (
    app_id BIGINT NOT NULL,
    day DATE NOT NULL,
    message_id BIGINT NOT NULL,
    device_id BIGINT,
    person_id BIGINT,
    state TEXT NOT NULL,
    reason TEXT,
    gateway TEXT,
    attempt INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL
) PARTITION BY RANGE (day);
CREATE UNIQUE INDEX ledger_device_idx ON ledger (app_id, message_id, device_id, day) WHERE device_id IS NOT NULL;
CREATE INDEX ledger_history_idx ON ledger (app_id, person_id, message_id) WHERE person_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_person_idx ON ledger (app_id, message_id, person_id, day) WHERE device_id IS NULL;
CREATE TABLE message_count (
    app_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    recipients BIGINT NOT NULL,
    CONSTRAINT message_count_pkey PRIMARY KEY (app_id, message_id, state, reason)
);
CREATE TABLE message_delta (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    app_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    recipients BIGINT NOT NULL,
    CONSTRAINT message_delta_pkey PRIMARY KEY (id)
);
CREATE INDEX message_delta_message_idx ON message_delta (app_id, message_id);
CREATE TABLE pace (
    scope TEXT NOT NULL,
    arrival_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pace_pkey PRIMARY KEY (scope)
);
CREATE TABLE api_key (
    app_id BIGINT,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    secret_hash BYTEA NOT NULL,
    hint TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id),
    CONSTRAINT api_key_public_id_key UNIQUE (public_id),
    CONSTRAINT api_key_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX api_key_app_idx ON api_key (app_id);
CREATE TABLE credential (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    environment TEXT,
    topic TEXT,
    project_id TEXT,
    sealed BYTEA NOT NULL,
    state TEXT DEFAULT 'active' NOT NULL,
    reason TEXT,
    reason_text TEXT,
    frozen_until TIMESTAMP WITH TIME ZONE,
    quota_per_minute INTEGER,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT credential_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT credential_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id),
    CONSTRAINT credential_public_id_key UNIQUE (public_id)
);
CREATE TABLE device (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    installation_id TEXT NOT NULL,
    person_id BIGINT,
    platform TEXT NOT NULL,
    app_version TEXT,
    os_version TEXT,
    model TEXT,
    locale TEXT,
    time_zone TEXT,
    permission TEXT DEFAULT 'unknown' NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE,
    secret_hash BYTEA,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT device_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT device_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id),
    CONSTRAINT device_public_id_key UNIQUE (public_id)
);
CREATE UNIQUE INDEX device_installation_idx ON device (app_id, installation_id);
CREATE INDEX device_person_idx ON device (app_id, person_id) WHERE person_id IS NOT NULL;
CREATE TABLE message (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    day DATE,
    lane TEXT NOT NULL,
    type TEXT DEFAULT 'push' NOT NULL,
    state TEXT NOT NULL,
    policy TEXT NOT NULL,
    content JSONB NOT NULL,
    audience JSONB NOT NULL,
    ttl_seconds INTEGER NOT NULL,
    collapse_id TEXT,
    priority TEXT DEFAULT 'high' NOT NULL,
    rate_per_second DOUBLE PRECISION,
    send_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    targeted BIGINT,
    failed_reason TEXT,
    is_test BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    first_pass_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT message_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT message_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id),
    CONSTRAINT message_public_id_key UNIQUE (public_id)
);
CREATE INDEX message_due_idx ON message (send_at) WHERE state = 'scheduled';
CREATE INDEX message_live_idx ON message (state) WHERE state IN ('running', 'paused', 'cancelled');
CREATE INDEX message_recent_idx ON message (app_id, created_at);
CREATE TABLE person (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    external_id TEXT NOT NULL,
    attributes JSONB DEFAULT '{}' NOT NULL,
    locale TEXT,
    time_zone TEXT,
    country TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT person_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT person_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id)
);
CREATE UNIQUE INDEX person_external_idx ON person (app_id, external_id);
CREATE TABLE chunk (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    message_id BIGINT NOT NULL,
    credential_id BIGINT NOT NULL,
    lane TEXT NOT NULL,
    priority INTEGER DEFAULT 0 NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    attempt INTEGER DEFAULT 1 NOT NULL,
    first_attempt_at TIMESTAMP WITH TIME ZONE,
    wait_reason TEXT,
    device_ids BIGINT[] NOT NULL,
    person_ids BIGINT[] NOT NULL,
    intended INTEGER DEFAULT 0 NOT NULL,
    open INTEGER[] DEFAULT '{}' NOT NULL,
    remaining INTEGER NOT NULL,
    cursor BIGINT DEFAULT 0 NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    lease_owner TEXT,
    CONSTRAINT chunk_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT chunk_app_id_message_id_fkey FOREIGN KEY(app_id, message_id) REFERENCES message (app_id, id)
);
CREATE INDEX chunk_due_idx ON chunk (lane, priority DESC, due_at);
CREATE INDEX chunk_message_idx ON chunk (app_id, message_id);
CREATE TABLE target (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    device_id BIGINT NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    token TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    environment TEXT,
    topic TEXT,
    state TEXT DEFAULT 'active' NOT NULL,
    state_reason TEXT,
    registered_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT target_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT target_app_id_device_id_fkey FOREIGN KEY(app_id, device_id) REFERENCES device (app_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX target_device_idx ON target (app_id, device_id, provider, kind);
CREATE UNIQUE INDEX target_token_idx ON target (app_id, provider, token_hash);
"""

_EXTRAS = """
ALTER TABLE credential ADD CONSTRAINT credential_state_check
    CHECK (state IN ('active', 'paused', 'retired'));
ALTER TABLE target ADD CONSTRAINT target_state_check
    CHECK (state IN ('active', 'suspect', 'retired'));
ALTER TABLE message ADD CONSTRAINT message_state_check
    CHECK (state IN ('scheduled', 'running', 'paused', 'finished', 'cancelled', 'failed'));
ALTER TABLE message ADD CONSTRAINT message_policy_check
    CHECK (policy IN ('at_most_once', 'at_least_once'));
ALTER TABLE ledger ADD CONSTRAINT ledger_state_check
    CHECK (state IN ('accepted', 'gone', 'rejected', 'expired', 'unknown', 'suppressed'));
ALTER TABLE chunk ADD CONSTRAINT chunk_arrays_check
    CHECK (cardinality(device_ids) = cardinality(person_ids)
        AND intended <= cardinality(device_ids)
        AND remaining = cardinality(open) + cardinality(device_ids) - intended);
-- Queues: rows live for seconds and change often, so leave room and vacuum early.
ALTER TABLE chunk SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE message_delta SET (autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE pace SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200);
"""

_EVENT_KEY_PARTITIONS = 8


def upgrade() -> None:
    """Create every table of the first release."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_TABLES)
    op.execute(_EXTRAS)
    for part in range(_EVENT_KEY_PARTITIONS):
        op.execute(
            f"CREATE TABLE event_key_{part} PARTITION OF event_key "
            f"FOR VALUES WITH (MODULUS {_EVENT_KEY_PARTITIONS}, REMAINDER {part})"
        )
    today = datetime.now(UTC).date()
    create_month_partitions(op.get_bind(), ("ledger", "event", "audit"), today)
