"""What each person did in all, kept by triggers beside the daily roll-up."""

from alembic import op

revision = "0019"
down_revision = "0018"

# `event` is not written while what is there is counted: from then on its triggers keep count.
_TABLE = """
CREATE TABLE event_total (
    app_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    events BIGINT NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT event_total_pkey PRIMARY KEY (app_id, name, person_id)
) WITH (fillfactor = 80);
LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO event_total (app_id, person_id, name, events, first_at, last_at)
SELECT app_id, person_id, name, sum(events), min(first_at), max(last_at)
FROM event_day GROUP BY 1, 2, 3 ORDER BY 1, 3, 2;
"""
# The triggers of 0014 with the totals behind the days: rows are taken in the order of their keys,
# all days before all totals, so that two writers never wait in a circle.
_FUNCTIONS = """
CREATE OR REPLACE FUNCTION event_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_day AS d (app_id, person_id, name, day, events, first_at, last_at)
    SELECT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date, count(*), min(at), max(at)
    FROM added GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 4, 2
    ON CONFLICT (app_id, name, day, person_id) DO UPDATE
    SET events = d.events + excluded.events, first_at = least(d.first_at, excluded.first_at),
        last_at = greatest(d.last_at, excluded.last_at);
    INSERT INTO event_total AS t (app_id, person_id, name, events, first_at, last_at)
    SELECT app_id, person_id, name, count(*), min(at), max(at)
    FROM added GROUP BY 1, 2, 3 ORDER BY 1, 3, 2
    ON CONFLICT (app_id, name, person_id) DO UPDATE
    SET events = t.events + excluded.events, first_at = least(t.first_at, excluded.first_at),
        last_at = greatest(t.last_at, excluded.last_at);
    RETURN NULL;
END $$;
-- Counts what these people did anew, as `event_days_renew` does of their days, and as safely.
CREATE FUNCTION event_totals_renew(apps BIGINT[], people BIGINT[], names TEXT[])
RETURNS void LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM FROM event_total t JOIN unnest(apps, people, names) AS k(app_id, person_id, name)
        USING (app_id, person_id, name)
    ORDER BY t.app_id, t.name, t.person_id FOR UPDATE OF t;
    WITH anew AS (
        SELECT k.*, e.events, e.first_at, e.last_at
        FROM unnest(apps, people, names) AS k(app_id, person_id, name),
        LATERAL (
            SELECT count(*) AS events, min(at) AS first_at, max(at) AS last_at FROM event
            WHERE app_id = k.app_id AND person_id = k.person_id AND name = k.name) AS e),
    gone AS (
        DELETE FROM event_total t USING anew a WHERE a.events = 0 AND t.app_id = a.app_id
          AND t.name = a.name AND t.person_id = a.person_id)
    UPDATE event_total t SET events = a.events, first_at = a.first_at, last_at = a.last_at
    FROM anew a WHERE a.events > 0 AND t.app_id = a.app_id AND t.name = a.name
      AND t.person_id = a.person_id;
END $$;
CREATE OR REPLACE FUNCTION event_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM event_days_renew(array_agg(app_id), array_agg(person_id), array_agg(name),
                             array_agg(day))
    FROM (SELECT DISTINCT app_id, person_id, name, (at AT TIME ZONE 'UTC')::date AS day
          FROM removed) AS k;
    PERFORM event_totals_renew(array_agg(app_id), array_agg(person_id), array_agg(name))
    FROM (SELECT DISTINCT app_id, person_id, name FROM removed) AS k;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION event_altered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What comes to a day that also lost something is counted with it; so with a total.
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
    INSERT INTO event_total AS t (app_id, person_id, name, events, first_at, last_at)
    SELECT app_id, person_id, name, count(*), min(at), max(at)
    FROM altered GROUP BY 1, 2, 3
    HAVING (app_id, person_id, name) NOT IN (SELECT app_id, person_id, name FROM known)
    ORDER BY 1, 3, 2
    ON CONFLICT (app_id, name, person_id) DO UPDATE
    SET events = t.events + excluded.events, first_at = least(t.first_at, excluded.first_at),
        last_at = greatest(t.last_at, excluded.last_at);
    PERFORM event_totals_renew(array_agg(app_id), array_agg(person_id), array_agg(name))
    FROM (SELECT DISTINCT app_id, person_id, name FROM known) AS k;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Count what everybody did, and keep count from now on."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_TABLE)
    op.execute(_FUNCTIONS)
