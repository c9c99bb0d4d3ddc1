"""What each person said about push, kept by triggers beside the counts of its devices."""

from alembic import op

revision = "0021"
down_revision = "0020"

# The table is written anew: to change its rows takes twice as long and leaves as many that are
# dead. Nobody counts devices or says something meanwhile: from then on triggers keep both. A merge
# takes both tables in this order.
_FILL = """
SET LOCAL work_mem = '64MB';
LOCK TABLE person_reach IN ACCESS EXCLUSIVE MODE;
LOCK TABLE consent IN SHARE ROW EXCLUSIVE MODE;
CREATE TEMP TABLE person_reach_anew ON COMMIT DROP AS
SELECT app_id, person_id, devices, permitted, android, ios, web, silent, granted
FROM person_reach FULL JOIN (
    SELECT app_id, person_id, granted FROM consent WHERE kind = 'push') AS c
USING (app_id, person_id);
TRUNCATE person_reach;
ALTER TABLE person_reach DROP CONSTRAINT person_reach_pkey, ADD COLUMN push BOOLEAN;
INSERT INTO person_reach (app_id, person_id, devices, permitted, android, ios, web, silent, push)
SELECT app_id, person_id, coalesce(devices, 0), coalesce(permitted, 0), coalesce(android, 0),
       coalesce(ios, 0), coalesce(web, 0), coalesce(silent, 0), granted
FROM person_reach_anew ORDER BY 1, 2;
ALTER TABLE person_reach ADD CONSTRAINT person_reach_pkey PRIMARY KEY (app_id, person_id);
"""
# Rows are taken in the order of their keys, as those who count devices take them. Who says something
# holds its row of `consent` until the end: nobody else says it meanwhile, so it is not read anew.
_TRIGGER = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO person_reach AS r (app_id, person_id, push)
    SELECT app_id, person_id, {said} FROM {those} ORDER BY 1, 2
    ON CONFLICT (app_id, person_id) DO UPDATE SET push = excluded.push
    WHERE r.push IS DISTINCT FROM excluded.push;
    RETURN NULL;
END $$;
CREATE TRIGGER {name} AFTER {event} ON consent REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""
# What was given to another person, or to another kind, is said no longer where it was.
_ALTERED = """known k FULL JOIN written w USING (app_id, person_id, kind)
    WHERE kind = 'push' AND k.granted IS DISTINCT FROM w.granted"""
_TRIGGERS = (
    ("consent_said", "INSERT", "NEW TABLE AS written", "granted", "written WHERE kind = 'push'"),
    ("consent_altered", "UPDATE", "OLD TABLE AS known NEW TABLE AS written", "w.granted", _ALTERED),
    ("consent_removed", "DELETE", "OLD TABLE AS known", "CAST(NULL AS boolean)",
     "known WHERE kind = 'push'"),
)  # fmt: skip
# For statements of which two triggers take rows: before them, and in one order.
_HOLD = """
CREATE FUNCTION person_reach_hold(app BIGINT, people BIGINT[]) RETURNS void
LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO person_reach (app_id, person_id)
    SELECT DISTINCT app, id FROM unnest(people) AS k(id) ORDER BY 2
    ON CONFLICT (app_id, person_id) DO NOTHING;
    PERFORM FROM unnest(people) AS k(id) JOIN person_reach r ON r.app_id = app AND r.person_id = id
    ORDER BY r.person_id FOR UPDATE OF r;
END $$;
"""
# That of 0017, which looked once: devices may change hands while the rows of their owners are waited
# for, and then those who have got them are counted, too. Where there is no owner whose row could be
# waited for, that of the device is. OFFSET 0 has devices looked up by their keys.
_OWNERS = """
CREATE OR REPLACE FUNCTION target_devices_renew(apps BIGINT[], devices BIGINT[])
RETURNS void LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    owners BIGINT[] := array_fill(0, ARRAY[cardinality(devices)]);
BEGIN
    WHILE devices IS NOT NULL LOOP
        SELECT array_agg(k.app_id), array_agg(k.id), array_agg(d.person_id)
        INTO apps, devices, owners
        FROM unnest(apps, devices, owners) AS k(app_id, id, owner), LATERAL (
            SELECT person_id FROM device WHERE app_id = k.app_id AND id = k.id OFFSET 0) AS d
        WHERE d.person_id IS DISTINCT FROM k.owner;
        PERFORM FROM (
            SELECT app_id, id FROM unnest(apps, devices, owners) AS n(app_id, id, owner)
            WHERE owner IS NULL ORDER BY 1, 2) AS k, LATERAL (
            SELECT FROM device WHERE app_id = k.app_id AND id = k.id OFFSET 0 FOR SHARE) AS d;
        PERFORM person_reach_renew(array_agg(k.app_id), array_agg(k.person_id))
        FROM unnest(apps, owners) AS k(app_id, person_id)
        WHERE k.person_id IS NOT NULL HAVING count(*) > 0;
    END LOOP;
END $$;
"""


def upgrade() -> None:
    """Copy what everybody has said, and keep it from now on."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_FILL)
    for name, event, tables, said, those in _TRIGGERS:
        op.execute(_TRIGGER.format(name=name, event=event, tables=tables, said=said, those=those))
    op.execute(_HOLD)
    op.execute(_OWNERS)
