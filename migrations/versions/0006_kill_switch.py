"""Kill switches: what stops sending at once, for everybody, for an app or for a credential."""

from alembic import op

revision = "0006"
down_revision = "0005"

_STATEMENTS = """
CREATE TABLE kill_switch (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    app_id BIGINT,
    credential_id BIGINT,
    reason TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT kill_switch_pkey PRIMARY KEY (id),
    CONSTRAINT kill_switch_app_id_fkey FOREIGN KEY (app_id) REFERENCES app (id),
    CONSTRAINT kill_switch_app_id_credential_id_fkey FOREIGN KEY (app_id, credential_id)
        REFERENCES credential (app_id, id),
    CONSTRAINT kill_switch_level_check CHECK (app_id IS NOT NULL OR credential_id IS NULL)
);
CREATE UNIQUE INDEX kill_switch_level_idx ON kill_switch (app_id, credential_id)
    NULLS NOT DISTINCT;
"""


def upgrade() -> None:
    """Make the table of kill switches: a row is one that is on."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
