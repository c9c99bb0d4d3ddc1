"""Ending recipients nobody works on: of cancelled messages, deleted credentials, and too late."""

from sqlalchemy import Connection, text

from core.database import rows

_IS_IDLE = """(c.lease_until IS NULL OR clock_timestamp() > greatest(
          c.lease_until, pg_postmaster_start_time() + make_interval(secs => :lease)))"""
# One for the same gateway takes the same tokens: as when a key is renewed. What was cut for another
# environment, bundle or project must never be tried with it.
_HEIRS = """FROM credential n
    WHERE n.app_id = k.app_id AND n.state <> 'retired' AND n.provider = k.provider
      AND n.environment IS NOT DISTINCT FROM k.environment
      AND n.topic IS NOT DISTINCT FROM k.topic
      AND n.project_id IS NOT DISTINCT FROM k.project_id"""
# Chunks without a living lease; one with a lease is ended by its worker at the next window.
# Whom a gateway may have ends in doubt: positions in `open` and, where no intents are committed,
# all that a worker had in hand when it was lost.
_END = f"""
WITH idle AS (
    SELECT c.app_id, c.id, c.message_id, c.attempt, c.device_ids, c.person_ids, m.day,
           m.state = 'cancelled' AS cancelled, m.expires_at <= clock_timestamp() AS expired,
           m.policy = 'at_least_once' AS again,
           m.policy = 'at_least_once' AND c.lease_until IS NOT NULL AS abandoned
    FROM chunk c JOIN message m ON m.app_id = c.app_id AND m.id = c.message_id
    LEFT JOIN credential k ON k.app_id = c.app_id AND k.id = c.credential_id
    WHERE (m.state = 'cancelled' OR m.expires_at <= clock_timestamp() OR k.id IS NULL
           OR (k.state = 'retired' AND NOT EXISTS (SELECT {_HEIRS})))
      AND (CAST(:message_id AS bigint) IS NULL OR m.id = :message_id)
      AND {_IS_IDLE}
    ORDER BY c.id LIMIT :limit
    FOR UPDATE OF c SKIP LOCKED),
gone AS (DELETE FROM chunk c USING idle i WHERE c.app_id = i.app_id AND c.id = i.id
    RETURNING c.id, c.intended, c.open),
ended AS (
    INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, attempt)
    SELECT i.app_id, i.day, i.message_id, i.device_ids[p], i.person_ids[p],
           CASE WHEN d.in_doubt THEN 'unknown' WHEN i.cancelled THEN 'suppressed'
                WHEN i.expired THEN 'expired' ELSE 'suppressed' END,
           CASE WHEN d.in_doubt AND i.again THEN 'unconfirmed' WHEN d.in_doubt THEN 'worker_lost'
                WHEN i.cancelled THEN 'cancelled' WHEN i.expired THEN 'ttl'
                ELSE 'credential_retired' END, i.attempt
    FROM idle i JOIN gone g ON g.id = i.id
    CROSS JOIN LATERAL generate_series(1, cardinality(i.device_ids)) AS p
    CROSS JOIN LATERAL (SELECT p - 1 = ANY(g.open) OR i.abandoned AS in_doubt) AS d
    WHERE p > g.intended OR p - 1 = ANY(g.open)
    RETURNING app_id, message_id, device_id, person_id, state, reason, attempt),
counted AS (
    SELECT app_id, message_id, state, reason, count(*) AS recipients FROM ended
    GROUP BY app_id, message_id, state, reason),
deltas AS (
    INSERT INTO message_delta (app_id, message_id, state, reason, recipients)
    SELECT app_id, message_id, state, reason, recipients FROM counted),
told AS (
    INSERT INTO outbox (app_id, subscription_id, kind, facts)
    SELECT m.app_id, s.id, 'delivery.ended', jsonb_build_object(
        'message', m.public_id, 'is_test', m.is_test, 'results', jsonb_agg(jsonb_build_array(
            e.device_id, e.person_id, e.state, e.reason, NULL, e.attempt)))
    FROM (SELECT *, (row_number() OVER (PARTITION BY message_id) - 1) / 500 AS part FROM ended) e
    JOIN outbox_subscription s ON s.app_id = e.app_id AND 'delivery.ended' = ANY(s.kinds)
    JOIN message m ON m.app_id = e.app_id AND m.id = e.message_id
    GROUP BY m.app_id, s.id, m.public_id, m.is_test, e.part)
SELECT coalesce(sum(recipients), 0)::bigint AS recipients, (SELECT count(*) FROM idle) AS chunks
FROM counted
"""  # noqa: S608 - all texts are ours.
_HAND_OVER = f"""
WITH left_over AS MATERIALIZED (
    SELECT c.app_id, c.id, n.id AS heir_id
    FROM credential k
    CROSS JOIN LATERAL (SELECT id {_HEIRS} ORDER BY n.id DESC LIMIT 1) n
    JOIN chunk c ON c.app_id = k.app_id AND c.credential_id = k.id
    WHERE k.state = 'retired' AND {_IS_IDLE}
    LIMIT :limit
    FOR UPDATE OF c SKIP LOCKED)
UPDATE chunk c SET credential_id = o.heir_id
FROM left_over o WHERE c.app_id = o.app_id AND c.id = o.id
"""  # noqa: S608 - all texts are ours.
_HANDED_OVER_AT_ONCE = 2_000


def hand_over(
    connection: Connection, *, lease_seconds: float, limit: int = _HANDED_OVER_AT_ONCE
) -> int:
    """Give idle chunks of deleted credentials to others that reach the same; return how many."""
    values = {"lease": lease_seconds, "limit": limit}
    return connection.execute(text(_HAND_OVER), values).rowcount


def end_idle(
    connection: Connection, *, lease_seconds: float, message_id: int | None = None, limit: int = 200
) -> tuple[int, int]:
    """End what is left of idle chunks; return how many recipients and chunks were ended."""
    found = rows(connection, _END, lease=lease_seconds, message_id=message_id, limit=limit)[0]
    return found.recipients, found.chunks
