"""Claiming chunks: a fence tells their holders apart, PostgreSQL is the only truth."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from core.database import rows
from delivery.chunks.chunk import Lease, MessageFacts

# A worker walks one chunk about this fast, so a slower message needs no two at once.
CHUNK_PER_SECOND = 500

# The shares that compete: messages in the campaign lane; apps in the transactional lane, where a
# message is often one push and thousands of them wait for a retry. One look into the index for
# each, however many chunks it has. `now()` may use an index, `clock_timestamp()` may not.
_MESSAGES = """
WITH RECURSIVE share AS (
    (SELECT app_id, message_id FROM chunk WHERE lane = :lane ORDER BY app_id, message_id LIMIT 1)
    UNION ALL
    SELECT n.* FROM share s CROSS JOIN LATERAL (
        SELECT c.app_id, c.message_id FROM chunk c
        WHERE c.lane = :lane AND (c.app_id, c.message_id) > (s.app_id, s.message_id)
        ORDER BY c.app_id, c.message_id LIMIT 1) n),
"""
_APPS = """
WITH RECURSIVE share AS (
    (SELECT app_id, CAST(NULL AS bigint) AS message_id FROM chunk WHERE lane = :lane
     ORDER BY app_id LIMIT 1)
    UNION ALL
    SELECT n.app_id, CAST(NULL AS bigint) FROM share s CROSS JOIN LATERAL (
        SELECT c.app_id FROM chunk c WHERE c.lane = :lane AND c.app_id > s.app_id
        ORDER BY c.app_id LIMIT 1) n),
"""
# After a restart of the database leases count from the restart: their owners could not renew
# them while it was away.
_IS_FREE = """c.due_at <= now()
    AND (c.lease_until IS NULL OR clock_timestamp() > greatest(
        c.lease_until, pg_postmaster_start_time() + make_interval(secs => :lease)))"""
# Kill switches are asked for once, not for every chunk, as long as none is on.
_MAY_END_OR_SEND = """(m.state = 'cancelled' OR m.expires_at <= now() OR (m.state = 'running'
    AND k.state = 'active' AND (k.frozen_until IS NULL OR k.frozen_until <= now())
    AND (NOT EXISTS (SELECT FROM kill_switch) OR NOT EXISTS (SELECT FROM kill_switch s
        WHERE (s.app_id IS NULL OR s.app_id = c.app_id)
          AND (s.credential_id IS NULL OR s.credential_id = c.credential_id)))
    AND NOT EXISTS (SELECT FROM refused r
        WHERE r.message_id = c.message_id AND r.credential_id = c.credential_id)))"""
# Who holds least for its weight comes next: first among apps, then among the messages of one.
# Some more than wanted are looked at, for others may take them at the same moment. What goes
# slowly needs few chunks at once, and must not fill the hands of a worker with them.
_CLAIM = f"""held AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:held_apps AS int8[]), CAST(:held_messages AS int8[]),
                         CAST(:held_chunks AS int4[])) AS h(app_id, message_id, chunks)),
refused AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:refused_messages AS int8[]), CAST(:refused_credentials AS int8[]))
        AS r(message_id, credential_id)),
ready AS (
    SELECT c.*, a.weight AS app_weight,
           (row_number() OVER (PARTITION BY c.app_id, c.message_id ORDER BY c.due_at, c.id)
            + coalesce(h.chunks, 0)) / c.weight::float8 AS place
    FROM share s JOIN app a ON a.id = s.app_id
    LEFT JOIN held h ON h.app_id = s.app_id AND h.message_id = s.message_id
    CROSS JOIN LATERAL (
        SELECT c.app_id, c.id, c.message_id, c.due_at, m.weight
        FROM chunk c JOIN message m ON m.app_id = c.app_id AND m.id = c.message_id
        JOIN credential k ON k.app_id = c.app_id AND k.id = c.credential_id
        WHERE c.lane = :lane AND c.app_id = s.app_id
          AND (s.message_id IS NULL OR c.message_id = s.message_id)
          AND {_IS_FREE} AND {_MAY_END_OR_SEND}
          AND (m.rate_per_second IS NULL OR m.state <> 'running' OR coalesce(h.chunks, 0)
               <= m.rate_per_second / {CHUNK_PER_SECOND})
        ORDER BY c.due_at, c.id LIMIT 2 * :limit) c),
placed AS (
    SELECT r.app_id, r.id,
           (row_number() OVER (PARTITION BY r.app_id ORDER BY r.place, r.due_at, r.id)
            + coalesce((SELECT sum(h.chunks) FROM held h WHERE h.app_id = r.app_id), 0))
           / r.app_weight::float8 AS turn
    FROM ready r),
best AS (
    SELECT c.app_id, c.id FROM placed p JOIN chunk c ON c.app_id = p.app_id AND c.id = p.id
    WHERE {_IS_FREE}
    ORDER BY p.turn, c.due_at, c.id LIMIT :limit
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
    m.lane, m.weight, m.expires_at, coalesce(m.started_at, m.created_at)
        + make_interval(secs => m.ttl_seconds) AS kept_until
"""  # noqa: S608 - all texts are ours.
_BY_LANE = {"transactional": _APPS + _CLAIM, "campaign": _MESSAGES + _CLAIM}


@dataclass(frozen=True, slots=True)
class Owner:
    """A worker that leases chunks of a lane."""

    lane: str
    name: str
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Hands:
    """What a worker holds already, and what it need not be given.

    `held` counts its chunks by (app, message), `refused` are pairs of message and credential whose
    permits are too far away.
    """

    held: Mapping[tuple[int, int], int] = field(default_factory=dict)
    refused: Collection[tuple[int, int]] = ()


def claim(connection: Connection, owner: Owner, hands: Hands, *, limit: int) -> Sequence[Lease]:
    """Lease up to `limit` due chunks of the lane that nobody else holds, in fair shares."""
    found = rows(
        connection,
        _BY_LANE[owner.lane],
        lane=owner.lane,
        owner=owner.name,
        lease=owner.lease_seconds,
        limit=limit,
        held_apps=[app_id for app_id, _ in hands.held],
        held_messages=[message_id for _, message_id in hands.held],
        held_chunks=list(hands.held.values()),
        refused_messages=[message_id for message_id, _ in hands.refused],
        refused_credentials=[credential_id for _, credential_id in hands.refused],
    )
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
