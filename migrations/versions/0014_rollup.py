"""Imports of events, and the daily roll-up of what each person did."""

from alembic import op

revision = "0014"
down_revision = "0013"

# `event` is not written while what is there is counted: from then on its triggers keep count.
_STATEMENTS = """
ALTER TABLE import_job DROP CONSTRAINT import_job_kind_check;
ALTER TABLE import_job ADD CONSTRAINT import_job_kind_check
    CHECK (kind IN ('people', 'devices', 'events'));
CREATE TABLE event_day (
    app_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    day DATE NOT NULL,
    events BIGINT NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT event_day_pkey PRIMARY KEY (app_id, name, day, person_id)
) WITH (fillfactor = 90);
LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO event_day (app_id, person_id, name, day, events, first_at, last_at)
SELECT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date, count(*), min(at), max(at)
FROM event GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 4, 2;
"""
# Rows are taken in the order of their key, so that two writers never wait in a circle.
_FUNCTIONS = """
CREATE FUNCTION event_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_day AS d (app_id, person_id, name, day, events, first_at, last_at)
    SELECT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date, count(*), min(at), max(at)
    FROM added GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 4, 2
    ON CONFLICT (app_id, name, day, person_id) DO UPDATE
    SET events = d.events + excluded.events, first_at = least(d.first_at, excluded.first_at),
        last_at = greatest(d.last_at, excluded.last_at);
    RETURN NULL;
END $$;
-- Counts the days of these people anew. A day is locked before it is looked at: who adds to it
-- meanwhile is either seen, or waits and adds to what is found.
CREATE FUNCTION event_days_renew(apps BIGINT[], people BIGINT[], names TEXT[], days DATE[])
RETURNS void LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM FROM event_day d JOIN unnest(apps, people, names, days) AS k(app_id, person_id, name, day)
        USING (app_id, person_id, name, day)
    ORDER BY d.app_id, d.name, d.day, d.person_id FOR UPDATE OF d;
    WITH anew AS (
        SELECT k.*, e.events, e.first_at, e.last_at
        FROM unnest(apps, people, names, days) AS k(app_id, person_id, name, day),
        LATERAL (
            SELECT count(*) AS events, min(at) AS first_at, max(at) AS last_at FROM event
            WHERE app_id = k.app_id AND person_id = k.person_id AND name = k.name
              AND at >= k.day::timestamp AT TIME ZONE 'UTC'
              AND at < (k.day + 1)::timestamp AT TIME ZONE 'UTC') AS e),
    gone AS (
        DELETE FROM event_day d USING anew a WHERE a.events = 0 AND d.app_id = a.app_id
          AND d.name = a.name AND d.day = a.day AND d.person_id = a.person_id)
    UPDATE event_day d SET events = a.events, first_at = a.first_at, last_at = a.last_at
    FROM anew a WHERE a.events > 0 AND d.app_id = a.app_id AND d.name = a.name
      AND d.day = a.day AND d.person_id = a.person_id;
END $$;
CREATE FUNCTION event_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM event_days_renew(array_agg(app_id), array_agg(person_id), array_agg(name),
                             array_agg(day))
    FROM (SELECT DISTINCT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date AS day
          FROM removed) AS k;
    RETURN NULL;
END $$;
CREATE FUNCTION event_altered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What comes to a day that also lost something is counted with it.
    INSERT INTO event_day AS d (app_id, person_id, name, day, events, first_at, last_at)
    SELECT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date, count(*), min(at), max(at)
    FROM altered GROUP BY 1, 2, 3, 4
    HAVING (app_id, person_id, name, (at AT TIME ZONE 'UTC')::date) NOT IN (
        SELECT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date FROM known)
    ORDER BY 1, 3, 4, 2
    ON CONFLICT (app_id, name, day, person_id) DO UPDATE
    SET events = d.events + excluded.events, first_at = least(d.first_at, excluded.first_at),
        last_at = greatest(d.last_at, excluded.last_at);
    PERFORM event_days_renew(array_agg(app_id), array_agg(person_id), array_agg(name),
                             array_agg(day))
    FROM (SELECT DISTINCT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date AS day
          FROM known) AS k;
    RETURN NULL;
END $$;
CREATE TRIGGER event_added AFTER INSERT ON event
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION event_added();
CREATE TRIGGER event_altered AFTER UPDATE ON event
    REFERENCING OLD TABLE AS known NEW TABLE AS altered
    FOR EACH STATEMENT EXECUTE FUNCTION event_altered();
CREATE TRIGGER event_removed AFTER DELETE ON event
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION event_removed();
"""


def upgrade() -> None:
    """Let imports bring events, and keep what each person did by days."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_STATEMENTS)
    op.execute(_FUNCTIONS)
