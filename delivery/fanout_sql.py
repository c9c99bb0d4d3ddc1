"""SQL of a cut: who is judged fit to be sent to, and what is written about everybody.

`{people}`, `{devices}`, `{bars}`, `{refuses}` and `{is_suppressed}` stand for parts of a source.
"""

from typing import Final

_KEYS = """
    SELECT provider, coalesce(environment, '') AS environment, coalesce(topic, '') AS topic,
           max(id) AS id
    FROM (SELECT id, provider, environment, topic FROM credential
          WHERE app_id = :app_id AND state <> 'retired'
          UNION ALL
          SELECT id, provider, environment, NULL FROM credential
          WHERE app_id = :app_id AND state <> 'retired') k
    GROUP BY 1, 2, 3
"""
_FITS = """k.provider = t.provider AND k.environment = coalesce(t.environment, '')
    AND k.topic = coalesce(t.topic, '')"""
_REASON = """CASE WHEN target_state IS NULL OR target_state = 'retired' THEN 'retired_before_send'
                WHEN target_state = 'suspect' THEN 'suspect'
                WHEN {refuses} THEN 'no_consent'
                WHEN permission = 'denied' THEN 'no_permission'
                WHEN {is_suppressed} THEN 'suppression_list'
                WHEN credential_id IS NULL THEN 'no_credential' END"""
# By looks into indexes, for a few; what is known of each device is looked up once.
_JUDGED = f"""
WITH people AS MATERIALIZED ({{people}}),
chosen AS MATERIALIZED ({{devices}}),
reach AS (
    SELECT d.person_id, d.id AS device_id, d.permission, false AS by_itself
    FROM people p JOIN device d ON d.app_id = :app_id AND d.person_id = p.id
    UNION ALL
    SELECT d.person_id, d.id, d.permission, true
    FROM (SELECT DISTINCT id FROM chosen) c JOIN device d ON d.app_id = :app_id AND d.id = c.id),
keys AS MATERIALIZED ({_KEYS}),
best AS (
    SELECT DISTINCT ON (r.device_id) r.*, t.state AS target_state, k.id AS credential_id
    FROM reach r
    LEFT JOIN target t
      ON t.app_id = :app_id AND t.device_id = r.device_id AND t.kind = ANY(:kinds)
    LEFT JOIN keys k ON {_FITS}
    ORDER BY r.device_id, t.state = 'active' DESC NULLS LAST, t.registered_at DESC),
aimed AS MATERIALIZED (
    SELECT * FROM best WHERE by_itself OR target_state IN ('active', 'suspect')),
judged AS MATERIALIZED (
    SELECT a.person_id, a.device_id, a.credential_id, {_REASON} AS reason
    FROM aimed a {{bars}}
    UNION ALL
    SELECT p.id, NULL, NULL, 'no_device' FROM people p
    WHERE NOT EXISTS (SELECT FROM aimed a WHERE a.person_id = p.id))
"""  # noqa: S608  All parts are ours.
# By joins of whole tables. Nothing is named twice: what is kept for a second reader is read by one
# process alone, and the joins above it are, too.
_JUDGED_WIDE = f"""
WITH best AS (
    SELECT t.device_id, t.state, k.id AS credential_id
    FROM target t LEFT JOIN ({_KEYS}) k ON {_FITS}
    WHERE t.app_id = :app_id AND t.kind = ANY(:kinds) AND NOT EXISTS (
        SELECT FROM target o
        WHERE o.app_id = :app_id AND o.kind = ANY(:kinds) AND o.device_id = t.device_id
          AND (o.state = 'active', o.registered_at, o.id)
            > (t.state = 'active', t.registered_at, t.id))),
aimed AS (
    SELECT p.id AS person_id, r.device_id, r.permission, r.target_state, r.credential_id
    FROM ({{people}}) p LEFT JOIN (
        SELECT d.person_id, d.id AS device_id, d.permission, b.state AS target_state,
               b.credential_id
        FROM device d JOIN best b ON b.device_id = d.id
        WHERE d.app_id = :app_id AND b.state IN ('active', 'suspect')) r ON r.person_id = p.id
    UNION ALL
    SELECT d.person_id, d.id, d.permission, b.state, b.credential_id
    FROM device d LEFT JOIN best b ON b.device_id = d.id
    WHERE d.app_id = :app_id AND d.id IN ({{devices}})),
judged AS (
    SELECT a.person_id, a.device_id, a.credential_id,
           CASE WHEN device_id IS NULL THEN 'no_device' ELSE {_REASON} END AS reason
    FROM aimed a {{bars}})
"""  # noqa: S608  All parts are ours.
# Up to `:size` recipients of one credential, or of one reason not to be sent to.
_PARTS = """
SELECT reason, credential_id, array_agg(device_id ORDER BY device_id) AS device_ids,
       array_agg(person_id ORDER BY device_id) AS person_ids, count(*) AS recipients
FROM (SELECT person_id, device_id, reason, credential_id,
             (row_number() OVER (PARTITION BY reason, credential_id ORDER BY device_id) - 1)
             / :size AS part
      FROM (SELECT person_id, device_id, reason,
                   CASE WHEN reason IS NULL THEN credential_id END AS credential_id
            FROM judged) j) n
GROUP BY reason, credential_id, part
"""
_CUT = """
chunks AS (
    INSERT INTO chunk (app_id, message_id, credential_id, lane, device_ids, person_ids, remaining)
    SELECT :app_id, :message_id, credential_id, :lane, device_ids, person_ids, recipients
    FROM parts WHERE reason IS NULL RETURNING remaining),
ended AS (
    INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, attempt)
    SELECT :app_id, current_date, :message_id, u.device_id, u.person_id, 'suppressed', p.reason, 0
    FROM parts p CROSS JOIN LATERAL unnest(p.device_ids, p.person_ids) AS u(device_id, person_id)
    WHERE p.reason IS NOT NULL),
suppressed AS (
    SELECT reason, sum(recipients)::bigint AS recipients FROM parts
    WHERE reason IS NOT NULL GROUP BY reason),
deltas AS (
    INSERT INTO message_delta (app_id, message_id, state, reason, recipients)
    SELECT :app_id, :message_id, 'suppressed', reason, recipients FROM suppressed),
told AS (
    INSERT INTO outbox (app_id, subscription_id, kind, facts)
    SELECT s.app_id, s.id, 'delivery.ended', jsonb_build_object(
        'message', m.public_id, 'is_test', m.is_test, 'results', f.results)
    FROM outbox_subscription s
    JOIN message m ON m.app_id = s.app_id AND m.id = :message_id
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(n.device_id, n.person_id, 'suppressed', n.reason,
                                           NULL, 0)) AS results
        FROM (SELECT u.device_id, u.person_id, p.reason, (row_number() OVER () - 1) / 500 AS part
              FROM parts p
              CROSS JOIN LATERAL unnest(p.device_ids, p.person_ids) AS u(device_id, person_id)
              WHERE p.reason IS NOT NULL AND s.id > 0) AS n
        GROUP BY n.part) AS f
    WHERE s.app_id = :app_id AND 'delivery.ended' = ANY(s.kinds))
SELECT targeted, current_date AS day, now AS started_at,
       now + make_interval(secs => :ttl) AS expires_at
FROM (SELECT coalesce((SELECT sum(remaining) FROM chunks), 0)::bigint
             + coalesce((SELECT sum(recipients) FROM suppressed), 0)::bigint AS targeted,
             clock_timestamp() AS now) t
"""
_COUNT = """
SELECT reason, credential_id, count(*) AS recipients FROM judged GROUP BY reason, credential_id
"""
CUT: Final = f"{_JUDGED}, parts AS MATERIALIZED ({_PARTS}), {_CUT}"
# PostgreSQL plans nothing for several processes in a statement that writes to a table, but for one
# that makes a table it does.
PART_OFF: Final = f"CREATE TEMP TABLE cut_part ON COMMIT DROP AS {_JUDGED_WIDE} {_PARTS}"
CUT_PARTS: Final = f"WITH parts AS (SELECT * FROM pg_temp.cut_part), {_CUT}"  # noqa: S608
DROP_PARTS: Final = "DROP TABLE pg_temp.cut_part"
COUNT: Final = _JUDGED + _COUNT
COUNT_WIDE: Final = _JUDGED_WIDE + _COUNT
