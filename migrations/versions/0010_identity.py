"""People: their names, attributes as they are discovered, every change of them, and merges."""

from datetime import UTC, datetime

from alembic import op

from core.database import create_month_partitions

revision = "0010"
down_revision = "0009"

_TABLES = """
CREATE TABLE person_name (
    app_id BIGINT NOT NULL,
    external_id TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    is_alias BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
);
-- Nobody may be added while those who are there get their names.
LOCK TABLE person IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO person_name (app_id, external_id, person_id, created_at)
    SELECT app_id, external_id, id, created_at FROM person;
ALTER TABLE person_name ADD CONSTRAINT person_name_pkey PRIMARY KEY (app_id, external_id);
CREATE INDEX person_name_alias_idx ON person_name (app_id, external_id) INCLUDE (person_id)
    WHERE is_alias;
CREATE INDEX person_name_of_idx ON person_name (app_id, person_id) WHERE is_alias;
CREATE TABLE person_merge (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id TEXT NOT NULL,
    into_id BIGINT NOT NULL,
    into_external_id TEXT NOT NULL,
    from_id BIGINT NOT NULL,
    from_external_id TEXT NOT NULL,
    from_attributes JSONB NOT NULL,
    from_locale TEXT,
    from_time_zone TEXT,
    from_country TEXT,
    from_created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    from_updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    names TEXT[] NOT NULL,
    before JSONB NOT NULL,
    after JSONB NOT NULL,
    about_before JSONB NOT NULL,
    about_after JSONB NOT NULL,
    counts JSONB NOT NULL,
    merged_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    undone_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT person_merge_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT person_merge_public_id_key UNIQUE (public_id)
);
CREATE INDEX person_merge_into_idx ON person_merge (app_id, into_id, id);
CREATE INDEX person_merge_from_idx ON person_merge (app_id, from_id, id);
CREATE TABLE person_merge_move (
    app_id BIGINT NOT NULL,
    merge_id BIGINT NOT NULL,
    what TEXT NOT NULL,
    ids BIGINT[] NOT NULL,
    moments TIMESTAMP WITH TIME ZONE[],
    detail JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT person_merge_move_pkey PRIMARY KEY (app_id, merge_id, what)
);
CREATE INDEX person_merge_move_created_idx ON person_merge_move (created_at);
CREATE TABLE person_successor (
    app_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    into_id BIGINT NOT NULL,
    CONSTRAINT person_successor_pkey PRIMARY KEY (app_id, person_id)
);
CREATE INDEX person_successor_into_idx ON person_successor (app_id, into_id);
CREATE TABLE attribute (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    declared TEXT,
    on_merge TEXT DEFAULT 'newest' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT attribute_pkey PRIMARY KEY (app_id, name),
    CONSTRAINT attribute_app_id_fkey FOREIGN KEY(app_id) REFERENCES app (id),
    CONSTRAINT attribute_declared_check
        CHECK (declared IN ('text', 'number', 'boolean', 'time', 'list', 'object')),
    CONSTRAINT attribute_on_merge_check
        CHECK (on_merge IN ('newest', 'keep', 'sum', 'min', 'max'))
);
CREATE INDEX attribute_id_idx ON attribute (app_id, id);
CREATE TABLE attribute_count (
    app_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    people BIGINT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT attribute_count_pkey PRIMARY KEY (app_id, name, kind)
);
CREATE TABLE attribute_delta (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    app_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    people BIGINT NOT NULL,
    CONSTRAINT attribute_delta_pkey PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX attribute_delta_app_idx ON attribute_delta (app_id);
CREATE TABLE attribute_profile (
    app_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    values_seen BIGINT NOT NULL,
    distinct_values BIGINT NOT NULL,
    is_whole BOOLEAN NOT NULL,
    examples JSONB NOT NULL,
    CONSTRAINT attribute_profile_pkey PRIMARY KEY (app_id, name)
);
CREATE TABLE attribute_scan (
    app_id BIGINT NOT NULL,
    people BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT attribute_scan_pkey PRIMARY KEY (app_id)
);
CREATE TABLE person_change (
    app_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    person_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    cause TEXT,
    before JSONB NOT NULL,
    after JSONB NOT NULL,
    about_before JSONB DEFAULT '{}' NOT NULL,
    about_after JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT person_change_pkey PRIMARY KEY (app_id, at, id)
) PARTITION BY RANGE (at);
CREATE INDEX person_change_person_idx ON person_change (app_id, person_id, id);
"""

# The same words as `kind_of` in segments/attributes/kinds.py.
_FUNCTIONS = r"""
CREATE FUNCTION attribute_kind(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE jsonb_typeof(value)
        WHEN 'string' THEN CASE
            WHEN substr(value #>> '{}', 5, 1) = '-' AND (value #>> '{}') ~
                '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?$'
            THEN 'time' ELSE 'text' END
        WHEN 'array' THEN 'list'
        ELSE jsonb_typeof(value) END
$$;
-- What `one` holds that is not the same in `other`.
CREATE FUNCTION jsonb_beyond(one jsonb, other jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(one)
    WHERE other -> key IS DISTINCT FROM value
$$;
CREATE FUNCTION person_added() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
DECLARE
    named bigint;
BEGIN
    INSERT INTO person_name (app_id, external_id, person_id)
    SELECT app_id, external_id, id FROM added
    ON CONFLICT (app_id, external_id) DO NOTHING;
    GET DIAGNOSTICS named = ROW_COUNT;
    IF named < (SELECT count(*) FROM added) AND EXISTS (
        SELECT FROM added a JOIN person_name n
            ON n.app_id = a.app_id AND n.external_id = a.external_id
        WHERE n.person_id <> a.id)
    THEN
        -- An alias came in between: whoever writes again finds whose it is.
        RAISE unique_violation USING MESSAGE = 'the name is an alias of another person',
            CONSTRAINT = 'person_name_pkey', TABLE = 'person_name';
    END IF;
    INSERT INTO attribute_delta (app_id, name, kind, people)
    SELECT app_id, key, attribute_kind(value), count(*) FROM added, jsonb_each(attributes)
    GROUP BY 1, 2, 3;
    RETURN NULL;
END $$;
CREATE FUNCTION person_altered() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    WITH changed AS MATERIALIZED (
        SELECT o.app_id, o.id, jsonb_beyond(o.attributes, n.attributes) AS before,
               jsonb_beyond(n.attributes, o.attributes) AS after,
               jsonb_build_object('locale', o.locale, 'time_zone', o.time_zone,
                                  'country', o.country) AS about_before,
               jsonb_build_object('locale', n.locale, 'time_zone', n.time_zone,
                                  'country', n.country) AS about_after
        FROM known o JOIN altered n ON n.app_id = o.app_id AND n.id = o.id
        WHERE o.attributes <> n.attributes OR o.locale IS DISTINCT FROM n.locale
            OR o.time_zone IS DISTINCT FROM n.time_zone OR o.country IS DISTINCT FROM n.country),
    kept AS (
        INSERT INTO person_change (app_id, person_id, at, cause, before, after, about_before,
                                   about_after)
        SELECT app_id, id, clock_timestamp(), nullif(current_setting('carillon.cause', true), ''),
               before, after, jsonb_beyond(about_before, about_after),
               jsonb_beyond(about_after, about_before)
        FROM changed)
    INSERT INTO attribute_delta (app_id, name, kind, people)
    SELECT app_id, key, attribute_kind(value), sum(step) FROM (
        SELECT app_id, key, value, -1 AS step FROM changed, jsonb_each(before)
        UNION ALL
        SELECT app_id, key, value, 1 FROM changed, jsonb_each(after)) AS steps
    GROUP BY 1, 2, 3 HAVING sum(step) <> 0;
    RETURN NULL;
END $$;
CREATE FUNCTION person_removed() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    INSERT INTO attribute_delta (app_id, name, kind, people)
    SELECT app_id, key, attribute_kind(value), -count(*) FROM removed, jsonb_each(attributes)
    GROUP BY 1, 2, 3;
    DELETE FROM person_name n USING removed r
    WHERE n.app_id = r.app_id AND n.external_id = r.external_id AND n.person_id = r.id;
    DELETE FROM person_name n USING removed r
    WHERE n.app_id = r.app_id AND n.person_id = r.id AND n.is_alias;
    RETURN NULL;
END $$;
CREATE TRIGGER person_added AFTER INSERT ON person
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION person_added();
CREATE TRIGGER person_altered AFTER UPDATE ON person
    REFERENCING OLD TABLE AS known NEW TABLE AS altered
    FOR EACH STATEMENT EXECUTE FUNCTION person_altered();
CREATE TRIGGER person_removed AFTER DELETE ON person
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION person_removed();
"""
_COUNTS = """
INSERT INTO attribute_count (app_id, name, kind, people)
    SELECT app_id, key, attribute_kind(value), count(*) FROM person, jsonb_each(attributes)
    GROUP BY 1, 2, 3;
INSERT INTO attribute (app_id, name) SELECT DISTINCT app_id, name FROM attribute_count;
"""


def upgrade() -> None:
    """Name those who are there, count what they have, and keep every change from now on."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_TABLES)
    create_month_partitions(op.get_bind(), ("person_change",), datetime.now(UTC).date())
    # As it is: a colon would be a parameter to SQLAlchemy.
    op.get_bind().exec_driver_sql(_FUNCTIONS)
    op.execute(_COUNTS)
