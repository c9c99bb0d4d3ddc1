"""How many devices each person can be reached on, kept by triggers."""

from alembic import op

revision = "0017"
down_revision = "0016"

# Neither table is written while what is there is counted: from then on their triggers keep count.
_TABLE = """
CREATE TABLE person_reach (
    app_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    devices INTEGER DEFAULT 0 NOT NULL,
    permitted INTEGER DEFAULT 0 NOT NULL,
    android INTEGER DEFAULT 0 NOT NULL,
    ios INTEGER DEFAULT 0 NOT NULL,
    web INTEGER DEFAULT 0 NOT NULL,
    silent INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT person_reach_pkey PRIMARY KEY (app_id, person_id)
) WITH (fillfactor = 80);
LOCK TABLE device, target IN SHARE ROW EXCLUSIVE MODE;
"""
_COUNTS = """count(*) AS devices,
    count(*) FILTER (WHERE is_push AND permission <> 'denied') AS permitted,
    count(*) FILTER (WHERE is_push AND permission <> 'denied' AND platform = 'android') AS android,
    count(*) FILTER (WHERE is_push AND permission <> 'denied' AND platform = 'ios') AS ios,
    count(*) FILTER (WHERE is_push AND permission <> 'denied' AND platform = 'web') AS web,
    count(*) FILTER (WHERE is_push AND permission = 'denied') AS silent"""
_FILL = f"""
INSERT INTO person_reach (app_id, person_id, devices, permitted, android, ios, web,
    silent)
SELECT d.app_id, d.person_id, {_COUNTS}
FROM device d JOIN (
    SELECT app_id, device_id, bool_or(kind IN ('fid', 'token', 'alert')) AS is_push
    FROM target WHERE state <> 'retired' GROUP BY 1, 2) AS t
  ON t.app_id = d.app_id AND t.device_id = d.id
WHERE d.person_id IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2;
"""  # noqa: S608  Both parts are ours.
# The row of a person is locked before the devices are looked at: who changes them meanwhile is
# either seen, or waits and counts anew. Rows stay, so that there is always one to lock.
_FUNCTIONS = f"""
CREATE FUNCTION person_reach_renew(apps BIGINT[], people BIGINT[])
RETURNS void LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO person_reach (app_id, person_id)
    SELECT DISTINCT * FROM unnest(apps, people) AS k(app_id, person_id) ORDER BY 1, 2
    ON CONFLICT (app_id, person_id) DO NOTHING;
    PERFORM FROM person_reach r JOIN unnest(apps, people) AS k(app_id, person_id)
        USING (app_id, person_id)
    ORDER BY r.app_id, r.person_id FOR UPDATE OF r;
    UPDATE person_reach r SET devices = n.devices, permitted = n.permitted, android = n.android,
        ios = n.ios, web = n.web, silent = n.silent
    FROM (SELECT DISTINCT * FROM unnest(apps, people) AS k(app_id, person_id)) AS k,
    LATERAL (
        SELECT {_COUNTS}
        FROM device d, LATERAL (
            SELECT bool_or(kind IN ('fid', 'token', 'alert')) AS is_push FROM target
            WHERE app_id = d.app_id AND device_id = d.id AND state <> 'retired') AS t
        WHERE d.app_id = k.app_id AND d.person_id = k.person_id AND t.is_push IS NOT NULL) AS n
    WHERE r.app_id = k.app_id AND r.person_id = k.person_id
      AND (r.devices, r.permitted, r.android, r.ios, r.web, r.silent)
          IS DISTINCT FROM (n.devices, n.permitted, n.android, n.ios, n.web, n.silent);
END $$;
CREATE FUNCTION device_altered() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
DECLARE
    apps BIGINT[]; people BIGINT[];
BEGIN
    SELECT array_agg(app_id), array_agg(person_id) INTO apps, people FROM (
        SELECT o.app_id, unnest(ARRAY[o.person_id, n.person_id]) AS person_id
        FROM known o JOIN altered n ON n.app_id = o.app_id AND n.id = o.id
        WHERE o.person_id IS DISTINCT FROM n.person_id OR o.platform <> n.platform
           OR (o.permission = 'denied') <> (n.permission = 'denied')) AS k
    WHERE person_id IS NOT NULL;
    IF apps IS NOT NULL THEN
        PERFORM person_reach_renew(apps, people);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION device_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM person_reach_renew(array_agg(app_id), array_agg(person_id))
    FROM removed WHERE person_id IS NOT NULL HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION target_devices_renew(apps BIGINT[], devices BIGINT[])
RETURNS void LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM person_reach_renew(array_agg(d.app_id), array_agg(d.person_id))
    FROM (SELECT DISTINCT * FROM unnest(apps, devices) AS k(app_id, id)) AS k
    JOIN device d USING (app_id, id) WHERE d.person_id IS NOT NULL HAVING count(*) > 0;
END $$;
CREATE FUNCTION target_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM target_devices_renew(array_agg(app_id), array_agg(device_id)) FROM added
    WHERE state <> 'retired' HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION target_altered() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    PERFORM target_devices_renew(array_agg(app_id), array_agg(device_id)) FROM (
        SELECT o.app_id, unnest(ARRAY[o.device_id, n.device_id]) AS device_id
        FROM known o JOIN altered n ON n.app_id = o.app_id AND n.id = o.id
        WHERE o.device_id <> n.device_id OR o.kind <> n.kind
           OR (o.state = 'retired') <> (n.state = 'retired')) AS k
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION target_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM target_devices_renew(array_agg(app_id), array_agg(device_id)) FROM removed
    WHERE state <> 'retired' HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER device_altered AFTER UPDATE ON device
    REFERENCING OLD TABLE AS known NEW TABLE AS altered
    FOR EACH STATEMENT EXECUTE FUNCTION device_altered();
CREATE TRIGGER device_removed AFTER DELETE ON device
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION device_removed();
CREATE TRIGGER target_added AFTER INSERT ON target
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION target_added();
CREATE TRIGGER target_altered AFTER UPDATE ON target
    REFERENCING OLD TABLE AS known NEW TABLE AS altered
    FOR EACH STATEMENT EXECUTE FUNCTION target_altered();
CREATE TRIGGER target_removed AFTER DELETE ON target
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION target_removed();
"""  # noqa: S608  Both parts are ours.


def upgrade() -> None:
    """Count the devices of everybody who is there, and keep count from now on."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_TABLE)
    op.execute(_FILL)
    op.execute(_FUNCTIONS)
