"""What one person was sent, and what became of each push: ended ones and those still open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.database import rows

PENDING = "pending"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One recipient of one message; `state` is terminal, or `pending` while it is open."""

    message_id: int
    message: str
    message_state: str
    lane: str
    scheduled_at: datetime
    device_id: int
    device: str | None
    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    at: datetime | None


_HISTORY = """
WITH found AS (
    SELECT l.message_id, coalesce(l.device_id, 0) AS device_id, l.state, l.reason, l.gateway,
           l.attempt, l.at
    FROM ledger l WHERE l.app_id = :app_id AND l.person_id = :person_id
    UNION ALL
    SELECT c.message_id, coalesce(u.device_id, 0), 'pending', c.wait_reason, NULL,
           c.attempt, NULL
    FROM chunk c
    CROSS JOIN LATERAL unnest(c.device_ids, c.person_ids) WITH ORDINALITY
        AS u(device_id, person_id, place)
    WHERE c.app_id = :app_id AND c.person_ids @> ARRAY[CAST(:person_id AS bigint)]
      AND u.person_id = :person_id
      AND (u.place > c.intended OR u.place - 1 = ANY(c.open)))
SELECT f.message_id, m.public_id AS message, m.state AS message_state, m.lane,
       m.send_at AS scheduled_at, f.device_id, d.public_id AS device, f.state, f.reason,
       f.gateway, f.attempt, f.at
FROM found f
JOIN message m ON m.app_id = :app_id AND m.id = f.message_id
LEFT JOIN device d ON d.app_id = :app_id AND d.id = f.device_id
WHERE CAST(:message_id AS bigint) IS NULL
   OR (f.message_id, f.device_id) < (:message_id, :device_id)
ORDER BY f.message_id DESC, f.device_id DESC LIMIT :limit
"""


def of_person(
    connection: Connection,
    app_id: int,
    person_id: int,
    *,
    limit: int,
    before: tuple[int, int] | None,
) -> Sequence[HistoryEntry]:
    """Return up to `limit` entries, newest message first, before the pair (message, device)."""
    found = rows(
        connection,
        _HISTORY,
        app_id=app_id,
        person_id=person_id,
        limit=limit,
        message_id=before[0] if before else None,
        device_id=before[1] if before else 0,
    )
    names = HistoryEntry.__dataclass_fields__
    return [HistoryEntry(**{name: getattr(row, name) for name in names}) for row in found]
