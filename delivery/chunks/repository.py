"""Claiming chunks: a fence tells their holders apart, PostgreSQL is the only truth."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from core.database import rows
from delivery.chunks.chunk import Lease, MessageFacts

_CLAIM = """
WITH best AS (
    SELECT c.app_id, c.id FROM chunk c
    JOIN message m ON m.app_id = c.app_id AND m.id = c.message_id
    JOIN credential k ON k.app_id = c.app_id AND k.id = c.credential_id
    WHERE c.lane = :lane AND c.due_at <= clock_timestamp()
      -- After a restart of the database leases count from the restart: their owners could
      -- not renew them while it was away.
      AND (c.lease_until IS NULL OR clock_timestamp() > greatest(
          c.lease_until, pg_postmaster_start_time() + make_interval(secs => :lease)))
      AND (m.state = 'cancelled' OR m.expires_at <= clock_timestamp()
           OR (m.state = 'running' AND k.state = 'active'
               AND (k.frozen_until IS NULL OR k.frozen_until <= clock_timestamp())))
    ORDER BY c.priority DESC, c.due_at, c.id LIMIT :limit
    FOR UPDATE OF c SKIP LOCKED)
UPDATE chunk c SET fence = c.fence + 1, lease_owner = :owner,
    lease_until = clock_timestamp() + make_interval(secs => :lease),
    first_attempt_at = coalesce(c.first_attempt_at, clock_timestamp())
FROM best, message m, credential k
WHERE c.app_id = best.app_id AND c.id = best.id
  AND m.app_id = c.app_id AND m.id = c.message_id
  AND k.app_id = c.app_id AND k.id = c.credential_id
RETURNING c.app_id, c.id, c.message_id, c.credential_id, c.attempt, c.first_attempt_at,
    c.device_ids, c.person_ids, c.intended, c.open, c.cursor, c.fence,
    k.updated_at AS credential_updated_at,
    m.public_id, m.day, m.policy, m.content, m.collapse_id, m.priority, m.rate_per_second,
    m.expires_at, coalesce(m.started_at, m.created_at)
        + make_interval(secs => m.ttl_seconds) AS kept_until
"""


def claim(
    connection: Connection, lane: str, owner: str, *, lease_seconds: float, limit: int
) -> Sequence[Lease]:
    """Lease up to `limit` best due chunks of the lane that nobody else holds."""
    found = rows(connection, _CLAIM, lane=lane, owner=owner, lease=lease_seconds, limit=limit)
    return [_lease(row) for row in found]


def _lease(row: Row[Any]) -> Lease:
    names = MessageFacts.__dataclass_fields__
    values = {name: getattr(row, name) for name in names if name != "id"}
    return Lease(
        id=row.id,
        message=MessageFacts(id=row.message_id, **values),
        credential_id=row.credential_id,
        credential_updated_at=row.credential_updated_at,
        attempt=row.attempt,
        first_attempt_at=row.first_attempt_at,
        device_ids=row.device_ids,
        person_ids=row.person_ids,
        intended=row.intended,
        open=row.open,
        cursor=row.cursor,
        fence=row.fence,
    )


def position_of(connection: Connection, lease: Lease) -> tuple[int, int] | None:
    """Return the chunk's present (fence, cursor), None when it is done and gone."""
    found = rows(
        connection,
        "SELECT fence, cursor FROM chunk WHERE app_id = :app_id AND id = :id",
        app_id=lease.message.app_id,
        id=lease.id,
    )
    return (found[0].fence, found[0].cursor) if found else None
