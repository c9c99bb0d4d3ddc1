"""SQL of a cut: who is judged fit to be sent to, and what is written about everybody.

`{people}`, `{devices}`, `{bars}`, `{refuses}` and `{is_suppressed}` stand for parts of a source.
"""

from typing import Final

# More recipients than these who are not sent to are written into the ledger after the cut.
POSTED_FROM: Final = 1_000
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
# Why not to send, by what holds of `aimed a`: the first counts. Numbers are sorted by in a quarter
# of the time that names take.
_REASONS: Final = {
    "no_device": "device_id IS NULL",
    "retired_before_send": "target_state IS NULL OR target_state = 'retired'",
    "suspect": "target_state = 'suspect'",
    "no_consent": "{refuses}",
    "no_permission": "permission = 'denied'",
    "suppression_list": "{is_suppressed}",
    "no_credential": "credential_id IS NULL",
}
_NUMBER = "\n                ".join(
    f"WHEN {holds} THEN {number}" for number, holds in enumerate(_REASONS.values(), 1)
)
_NAMES = ", ".join(f"'{name}'" for name in _REASONS)
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
    SELECT a.person_id, a.device_id, a.credential_id, CASE {_NUMBER} END AS reason
    FROM aimed a {{bars}}
    UNION ALL
    SELECT p.id, NULL, NULL, 1 FROM people p
    WHERE NOT EXISTS (SELECT FROM aimed a WHERE a.person_id = p.id))
"""  # noqa: S608  All parts are ours.
# By joins of whole tables. What is kept for two readers would be read by one process alone, and so
# would be all that is joined to it.
_JUDGED_WIDE = f"""
WITH best AS NOT MATERIALIZED (
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
           CASE {_NUMBER} END AS reason
    FROM aimed a {{bars}})
"""  # noqa: S608  All parts are ours.
# A way out is a credential, or the number of a reason with a minus. Recipients of one way come by
# device in parts of up to `:size`.
_ROWS = """
SELECT person_id, device_id, way,
       (row_number() OVER (PARTITION BY way ORDER BY device_id) - 1) / :size AS part
FROM (SELECT person_id, device_id, coalesce(-reason, credential_id) AS way FROM judged) j
"""
# The order by device is good for those who read these devices later; nothing depends on it, so it
# is not asked for: it would be sorted a second time.
_PARTS = f"""
SELECT (ARRAY[{_NAMES}])[-way] AS reason, CASE WHEN way > 0 THEN way END AS credential_id,
       array_agg(device_id) AS device_ids, array_agg(person_id) AS person_ids,
       count(*) AS recipients
FROM {{rows}} n GROUP BY way, part
"""  # noqa: S608  The names are ours.
# Who of `parts` is not sent to ends at once, or is set aside where they are many.
_IS_ENDED = "p.reason IS NOT NULL"
_IS_ENDED_NOW = f"{_IS_ENDED} AND (SELECT yes FROM are_few)"  # noqa: S608  Both are ours.
_WRITTEN = """
chunks AS (
    INSERT INTO chunk (app_id, message_id, credential_id, lane, device_ids, person_ids, remaining)
    SELECT :app_id, :message_id, credential_id, :lane, device_ids, person_ids, recipients
    FROM parts WHERE reason IS NULL),
ended AS (
    INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, attempt)
    SELECT :app_id, current_date, :message_id, u.device_id, u.person_id, 'suppressed', p.reason, 0
    FROM parts p CROSS JOIN LATERAL unnest(p.device_ids, p.person_ids) AS u(device_id, person_id)
    WHERE {is_ended}),
deltas AS (
    INSERT INTO message_delta (app_id, message_id, state, reason, recipients)
    SELECT :app_id, :message_id, 'suppressed', p.reason, sum(p.recipients) FROM parts p
    WHERE {is_ended} GROUP BY p.reason),
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
              WHERE {is_ended} AND s.id > 0) AS n
        GROUP BY n.part) AS f
    WHERE s.app_id = :app_id AND 'delivery.ended' = ANY(s.kinds))
SELECT targeted, current_date AS day, now AS started_at,
       now + make_interval(secs => :ttl) AS expires_at
FROM (SELECT coalesce(sum(recipients), 0)::bigint AS targeted, clock_timestamp() AS now
      FROM parts) t
"""
_COUNT = f"""
SELECT (ARRAY[{_NAMES}])[reason] AS reason, credential_id, count(*) AS recipients
FROM judged j GROUP BY j.reason, credential_id
"""  # noqa: S608  The names are ours.
_SET_ASIDE = f"""
are_few AS MATERIALIZED (
    SELECT coalesce(sum(p.recipients), 0) <= {POSTED_FROM} AS yes FROM parts p WHERE {_IS_ENDED}),
postings AS (
    INSERT INTO posting (app_id, message_id, day, reason, device_ids, person_ids, recipients, at)
    SELECT :app_id, :message_id, current_date, p.reason, p.device_ids, p.person_ids, p.recipients,
           statement_timestamp()
    FROM parts p WHERE {_IS_ENDED} AND NOT (SELECT yes FROM are_few)),
"""  # noqa: S608  All parts are ours.
CUT: Final = f"""
{_JUDGED},
parts AS MATERIALIZED ({_PARTS.format(rows=f"({_ROWS})")}),
{_WRITTEN.format(is_ended=_IS_ENDED)}
"""
# PostgreSQL plans nothing for several processes in a statement that writes to a table, but for one
# that makes a table it does. Rows, not parts: their arrays would be compressed, which takes longer
# than all that is done with them.
SET_OUT: Final = f"CREATE TEMP TABLE cut_row ON COMMIT DROP AS {_JUDGED_WIDE} {_ROWS}"
CUT_ROWS: Final = f"""
WITH parts AS MATERIALIZED ({_PARTS.format(rows="pg_temp.cut_row")}),
{_SET_ASIDE} {_WRITTEN.format(is_ended=_IS_ENDED_NOW)}
"""
DROP_ROWS: Final = "DROP TABLE pg_temp.cut_row"
COUNT: Final = _JUDGED + _COUNT
COUNT_WIDE: Final = _JUDGED_WIDE + _COUNT
