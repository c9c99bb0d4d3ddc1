"""Rules: static lists, and indexes for who did what and which devices are alive."""

from alembic import op

revision = "0012"
down_revision = "0010"

_STATEMENTS = """
CREATE TABLE segment_list (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT segment_list_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT segment_list_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id),
    CONSTRAINT segment_list_public_id_key UNIQUE (public_id)
);
CREATE TABLE list_member (
    app_id BIGINT NOT NULL,
    list_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    CONSTRAINT list_member_pkey PRIMARY KEY (app_id, list_id, person_id),
    CONSTRAINT list_member_app_id_list_id_fkey FOREIGN KEY(app_id, list_id)
        REFERENCES segment_list (app_id, id) ON DELETE CASCADE
);
CREATE INDEX list_member_person_idx ON list_member (app_id, person_id);
CREATE INDEX event_name_idx ON event (app_id, name, at, person_id);
CREATE INDEX target_live_idx ON target (app_id, device_id, provider) WHERE state <> 'retired';
"""


def upgrade() -> None:
    """Make static lists, and let rules read events and targets from indexes alone."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
