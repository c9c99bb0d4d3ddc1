"""Ending recipients nobody works on: of cancelled messages, and past their hard end."""

from sqlalchemy import Connection

from core.database import rows

# Chunks without a living lease; one with a lease is ended by its worker at the next window.
# Positions in `open` are in doubt: their policy decides when the chunk is claimed again.
_END = """
WITH idle AS (
    SELECT c.app_id, c.id, c.message_id, c.attempt, c.device_ids, c.person_ids, m.day,
           m.state = 'cancelled' AS cancelled
    FROM chunk c JOIN message m ON m.app_id = c.app_id AND m.id = c.message_id
    WHERE (m.state = 'cancelled' OR m.expires_at <= clock_timestamp())
      AND (CAST(:message_id AS bigint) IS NULL OR m.id = :message_id)
      AND cardinality(c.open) = 0
      AND (c.lease_until IS NULL OR clock_timestamp() > greatest(
          c.lease_until, pg_postmaster_start_time() + make_interval(secs => :lease)))
    ORDER BY c.id LIMIT :limit
    FOR UPDATE OF c SKIP LOCKED),
gone AS (DELETE FROM chunk c USING idle i WHERE c.app_id = i.app_id AND c.id = i.id
    RETURNING c.id, c.intended),
ended AS (
    INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, attempt)
    SELECT i.app_id, i.day, i.message_id, i.device_ids[p], i.person_ids[p],
           CASE WHEN i.cancelled THEN 'suppressed' ELSE 'expired' END,
           CASE WHEN i.cancelled THEN 'cancelled' ELSE 'ttl' END, i.attempt
    FROM idle i JOIN gone g ON g.id = i.id
    CROSS JOIN LATERAL generate_series(g.intended + 1, cardinality(i.device_ids)) AS p
    RETURNING app_id, message_id, state, reason),
counted AS (
    SELECT app_id, message_id, state, reason, count(*) AS recipients FROM ended
    GROUP BY app_id, message_id, state, reason),
deltas AS (
    INSERT INTO message_delta (app_id, message_id, state, reason, recipients)
    SELECT app_id, message_id, state, reason, recipients FROM counted)
SELECT coalesce(sum(recipients), 0)::bigint AS recipients, (SELECT count(*) FROM idle) AS chunks
FROM counted
"""


def end_idle(
    connection: Connection, *, lease_seconds: float, message_id: int | None = None, limit: int = 200
) -> tuple[int, int]:
    """End what is left of idle chunks; return how many recipients and chunks were ended."""
    found = rows(connection, _END, lease=lease_seconds, message_id=message_id, limit=limit)[0]
    return found.recipients, found.chunks
