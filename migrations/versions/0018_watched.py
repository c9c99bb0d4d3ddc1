"""Watched segments: what they mention, who may have entered or left, and who is in."""

from alembic import op

revision = "0018"
down_revision = "0017"

_TABLES = """
CREATE TABLE segment_watch (
    app_id BIGINT NOT NULL,
    segment_id BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    compared_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT segment_watch_pkey PRIMARY KEY (app_id, segment_id),
    CONSTRAINT segment_watch_app_id_segment_id_fkey FOREIGN KEY(app_id, segment_id)
        REFERENCES segment (app_id, id) ON DELETE CASCADE
);
CREATE TABLE segment_mention (
    app_id BIGINT NOT NULL,
    what TEXT NOT NULL,
    name TEXT NOT NULL,
    segment_id BIGINT NOT NULL,
    CONSTRAINT segment_mention_pkey PRIMARY KEY (app_id, what, name, segment_id),
    CONSTRAINT segment_mention_app_id_segment_id_fkey FOREIGN KEY(app_id, segment_id)
        REFERENCES segment_watch (app_id, segment_id) ON DELETE CASCADE
);
CREATE TABLE segment_member (
    app_id BIGINT NOT NULL,
    segment_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    CONSTRAINT segment_member_pkey PRIMARY KEY (app_id, segment_id, person_id),
    CONSTRAINT segment_member_app_id_segment_id_fkey FOREIGN KEY(app_id, segment_id)
        REFERENCES segment_watch (app_id, segment_id) ON DELETE CASCADE
);
CREATE TABLE segment_doubt (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    segment_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    CONSTRAINT segment_doubt_pkey PRIMARY KEY (app_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0);
"""
_FUNCTIONS = """
CREATE FUNCTION event_doubted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO segment_doubt (app_id, segment_id, person_id)
        SELECT DISTINCT e.app_id, m.segment_id, e.person_id FROM written e
        JOIN segment_mention m ON m.app_id = e.app_id AND m.what = 'event' AND m.name = e.name;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO segment_doubt (app_id, segment_id, person_id)
        SELECT DISTINCT e.app_id, m.segment_id, e.person_id FROM known e
        JOIN segment_mention m ON m.app_id = e.app_id AND m.what = 'event' AND m.name = e.name;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION consent_doubted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO segment_doubt (app_id, segment_id, person_id)
        SELECT DISTINCT c.app_id, m.segment_id, c.person_id FROM written c
        JOIN segment_mention m
          ON m.app_id = c.app_id AND m.what = 'about' AND m.name = c.kind || '_consent';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO segment_doubt (app_id, segment_id, person_id)
        SELECT DISTINCT c.app_id, m.segment_id, c.person_id FROM known c
        JOIN segment_mention m
          ON m.app_id = c.app_id AND m.what = 'about' AND m.name = c.kind || '_consent';
    END IF;
    RETURN NULL;
END $$;
-- Who is new may be in any segment, such as that of all who never did something.
CREATE FUNCTION person_doubted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO segment_doubt (app_id, segment_id, person_id)
        SELECT p.app_id, w.segment_id, p.id FROM written p
        JOIN segment_watch w ON w.app_id = p.app_id;
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM segment_mention) THEN
        RETURN NULL;
    END IF;
    INSERT INTO segment_doubt (app_id, segment_id, person_id)
    SELECT DISTINCT n.app_id, m.segment_id, n.id
    FROM known o JOIN written n ON n.app_id = o.app_id AND n.id = o.id
    JOIN segment_mention m ON m.app_id = n.app_id
    WHERE (m.what = 'attribute' AND o.attributes -> m.name IS DISTINCT FROM n.attributes -> m.name)
       OR (m.what = 'about' AND CASE m.name
               WHEN 'locale' THEN o.locale IS DISTINCT FROM n.locale
               WHEN 'time_zone' THEN o.time_zone IS DISTINCT FROM n.time_zone
               WHEN 'country' THEN o.country IS DISTINCT FROM n.country
               WHEN 'external_id' THEN o.external_id <> n.external_id
               WHEN 'created' THEN o.created_at <> n.created_at ELSE false END);
    RETURN NULL;
END $$;
"""
_TRIGGERS = """
CREATE TRIGGER {table}_doubted_new AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_doubted();
CREATE TRIGGER {table}_doubted_changed AFTER UPDATE ON {table}
    REFERENCING OLD TABLE AS known NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_doubted();
"""
_GONE = """
CREATE TRIGGER {table}_doubted_gone AFTER DELETE ON {table}
    REFERENCING OLD TABLE AS known
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_doubted();
"""


def upgrade() -> None:
    """Make the tables of watched segments, and have changes noted for them."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_TABLES)
    op.execute(_FUNCTIONS)
    for table in ("event", "person", "consent"):
        op.execute(_TRIGGERS.format(table=table))
    for table in ("event", "consent"):
        op.execute(_GONE.format(table=table))
