"""SQL of postings: ends that are decided, and are written into the ledger a few sets at a time."""

from typing import Final

from sqlalchemy import Connection

from core.database import rows

# What recipients in postings are said to wait for.
RECORDING: Final = "recording"
_AT_ONCE = 10
# One statement, and so one transaction, deletes the postings and writes all that a cut of fewer
# would have written itself.
_POST = """
WITH next AS MATERIALIZED (
    SELECT app_id, id FROM posting ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED),
taken AS (
    DELETE FROM posting p USING next n WHERE p.app_id = n.app_id AND p.id = n.id
    RETURNING p.*),
ended AS (
    INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, attempt, at)
    SELECT t.app_id, t.day, t.message_id, u.device_id, u.person_id, 'suppressed', t.reason, 0, t.at
    FROM taken t CROSS JOIN LATERAL unnest(t.device_ids, t.person_ids) AS u(device_id, person_id)),
deltas AS (
    INSERT INTO message_delta (app_id, message_id, state, reason, recipients, at)
    SELECT app_id, message_id, 'suppressed', reason, sum(recipients), at FROM taken
    GROUP BY app_id, message_id, reason, at),
told AS (
    INSERT INTO outbox (app_id, subscription_id, kind, facts)
    SELECT m.app_id, s.id, 'delivery.ended', jsonb_build_object(
        'message', m.public_id, 'is_test', m.is_test, 'results', jsonb_agg(jsonb_build_array(
            u.device_id, u.person_id, 'suppressed', t.reason, NULL, 0)))
    FROM taken t
    JOIN outbox_subscription s ON s.app_id = t.app_id AND 'delivery.ended' = ANY(s.kinds)
    JOIN message m ON m.app_id = t.app_id AND m.id = t.message_id
    CROSS JOIN LATERAL unnest(t.device_ids, t.person_ids) WITH ORDINALITY
        AS u(device_id, person_id, place)
    GROUP BY m.app_id, s.id, m.public_id, m.is_test, t.id, (u.place - 1) / 500)
SELECT coalesce(sum(recipients), 0)::bigint AS recipients FROM taken
"""


def post(connection: Connection, limit: int = _AT_ONCE) -> int:
    """Write the oldest postings that nobody else writes into the ledger; return how many ends.

    Their messages may be paused, cancelled or too old, and all sending stopped: nothing is sent.
    """
    recipients: int = rows(connection, _POST, limit=limit)[0].recipients
    return recipients
