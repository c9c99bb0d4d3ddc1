"""Deliveries over time: deltas folded into counts and buckets, and buckets read again."""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, text

from core.database import rows
from delivery.receipts.receipt import Milestone
from delivery.states import RecipientState

# As fine as the past is kept.
STEP_SECONDS = 10
KEPT_DAYS = 31

_ROLL_UP = text(f"""
WITH taken AS (
    DELETE FROM message_delta WHERE id IN (
        SELECT id FROM message_delta ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING app_id, message_id, state, reason, recipients, at),
buckets AS (
    INSERT INTO delivery_bucket AS b (app_id, at, state, recipients)
    SELECT t.app_id, date_bin('{STEP_SECONDS} seconds', t.at, 'epoch') AS step, t.state,
           sum(t.recipients)
    FROM taken t JOIN message m ON m.app_id = t.app_id AND m.id = t.message_id
    WHERE NOT m.is_test
    GROUP BY t.app_id, step, t.state
    ORDER BY t.app_id, step, t.state
    ON CONFLICT (app_id, at, state) DO UPDATE SET recipients = b.recipients + excluded.recipients)
INSERT INTO message_count AS c (app_id, message_id, state, reason, recipients)
SELECT app_id, message_id, state, reason, sum(recipients) FROM taken
GROUP BY app_id, message_id, state, reason
ORDER BY app_id, message_id, state, reason
ON CONFLICT (app_id, message_id, state, reason)
DO UPDATE SET recipients = c.recipients + excluded.recipients
""")  # noqa: S608  The step is ours.


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many recipients ended in one step of time, by state; `at` is its beginning.

    `receipts` are those that phones reported in that time, by milestone.
    """

    at: datetime
    counts: MutableMapping[str, int]
    receipts: MutableMapping[str, int]


def roll_up(connection: Connection, limit: int = 10_000) -> None:
    """Fold the oldest deltas into counts and buckets; safe to run in several schedulers at once."""
    connection.execute(_ROLL_UP, {"limit": limit})


def prune(connection: Connection) -> None:
    """Forget the buckets that are older than `KEPT_DAYS`."""
    connection.execute(
        text("DELETE FROM delivery_bucket WHERE at < now() - make_interval(days => :days)"),
        {"days": KEPT_DAYS},
    )


def over_time(
    connection: Connection, app_id: int, *, minutes: int, bucket_seconds: int
) -> list[Bucket]:
    """Return the buckets of the last `minutes` in which anything happened, oldest first.

    `bucket_seconds` is a multiple of `STEP_SECONDS`. What was sent as a test is left out.
    """
    found = rows(
        connection,
        """
        WITH width AS (SELECT make_interval(secs => :seconds) AS step),
        edge AS (
            SELECT date_bin(step, now() - make_interval(mins => :minutes), 'epoch') AS start
            FROM width)
        SELECT date_bin(step, p.at, 'epoch') AS at, p.state, sum(p.recipients)::bigint AS recipients
        FROM width, edge, LATERAL (
            SELECT b.at, b.state, b.recipients FROM delivery_bucket b
            WHERE b.app_id = :app_id AND b.at >= edge.start
            UNION ALL
            SELECT d.at, d.state, d.recipients FROM message_delta d
            JOIN message m ON m.app_id = d.app_id AND m.id = d.message_id
            WHERE d.app_id = :app_id AND d.at >= edge.start AND NOT m.is_test) AS p
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        app_id=app_id,
        minutes=minutes,
        seconds=bucket_seconds,
    )
    buckets: dict[datetime, Bucket] = {}
    for row in found:
        bucket = buckets.setdefault(row.at, Bucket(row.at, _none(RecipientState), _none(Milestone)))
        counts = bucket.receipts if row.state in bucket.receipts else bucket.counts
        counts[row.state] = row.recipients
    return list(buckets.values())


def _none(names: Iterable[StrEnum]) -> dict[str, int]:
    return {one.value: 0 for one in names}
