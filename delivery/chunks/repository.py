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
# each and each of its credentials, however many chunks it has.
_MESSAGES = """
WITH RECURSIVE share AS (
    (SELECT app_id, message_id, credential_id FROM chunk WHERE lane = 'campaign'
     ORDER BY app_id, message_id, credential_id LIMIT 1)
    UNION ALL
    SELECT n.* FROM share s CROSS JOIN LATERAL (
        SELECT c.app_id, c.message_id, c.credential_id FROM chunk c
        WHERE c.lane = 'campaign' AND (c.app_id, c.message_id, c.credential_id)
            > (s.app_id, s.message_id, s.credential_id)
        ORDER BY c.app_id, c.message_id, c.credential_id LIMIT 1) n),
"""
_APPS = """
WITH RECURSIVE share AS (
    (SELECT app_id, credential_id FROM chunk WHERE lane = 'transactional'
     ORDER BY app_id, credential_id LIMIT 1)
    UNION ALL
    SELECT n.* FROM share s CROSS JOIN LATERAL (
        SELECT c.app_id, c.credential_id FROM chunk c
        WHERE c.lane = 'transactional' AND (c.app_id, c.credential_id) > (s.app_id, s.credential_id)
        ORDER BY c.app_id, c.credential_id LIMIT 1) n),
"""
# `now()` may use an index, `clock_timestamp()` may not. After a restart of the database leases
# count from the restart: their owners could not renew them while it was away.
_IS_FREE = """c.due_at <= now()
    AND (c.lease_until IS NULL OR clock_timestamp() > greatest(
        c.lease_until, pg_postmaster_start_time() + make_interval(secs => :lease)))"""
# Kill switches are asked for once, not for every chunk, as long as none is on.
_MAY_END_OR_SEND = """(m.state = 'cancelled' OR m.expires_at <= now() OR (m.state = 'running'
    AND k.state = 'active' AND (k.frozen_until IS NULL OR k.frozen_until <= now())
    AND (NOT EXISTS (SELECT FROM kill_switch) OR NOT EXISTS (SELECT FROM kill_switch s
        WHERE (s.app_id IS NULL OR s.app_id = k.app_id)
          AND (s.credential_id IS NULL OR s.credential_id = k.id)))
    AND NOT EXISTS (SELECT FROM refused r
        WHERE r.message_id = m.id AND r.credential_id = k.id)))"""
_HANDS = """held AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:held_apps AS int8[]), CAST(:held_messages AS int8[]),
                         CAST(:held_chunks AS int4[])) AS h(app_id, message_id, chunks)),
refused AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:refused_messages AS int8[]), CAST(:refused_credentials AS int8[]))
        AS r(message_id, credential_id)),
"""
# OFFSET 0 keeps the planner to looking up one row by its key; left to itself it reads whole tables
# as long as it knows nothing of them. What is asked of message and credential decides before any
# chunk is read. What goes slowly needs few chunks at once, and must not fill the hands of a worker.
_CREDENTIAL = """CROSS JOIN LATERAL (
        SELECT * FROM credential k WHERE k.app_id = s.app_id AND k.id = s.credential_id OFFSET 0) k
"""
_READY_BY_MESSAGE = f"""ready AS (
    SELECT s.app_id, c.id, s.message_id, c.due_at, m.weight, coalesce(h.chunks, 0) AS held
    FROM share s {_CREDENTIAL}
    CROSS JOIN LATERAL (
        SELECT * FROM message m WHERE m.app_id = s.app_id AND m.id = s.message_id OFFSET 0) m
    LEFT JOIN held h ON h.app_id = s.app_id AND h.message_id = s.message_id
    CROSS JOIN LATERAL (
        SELECT c.id, c.due_at FROM chunk c
        WHERE c.lane = 'campaign' AND c.app_id = s.app_id AND c.message_id = s.message_id
          AND c.credential_id = s.credential_id AND {_IS_FREE} AND {_MAY_END_OR_SEND}
          AND (m.rate_per_second IS NULL OR m.state <> 'running' OR coalesce(h.chunks, 0)
               <= m.rate_per_second / {CHUNK_PER_SECOND})
        ORDER BY c.due_at LIMIT 2 * :limit) c),
"""  # noqa: S608 - all texts are ours.
_READY_BY_APP = f"""ready AS (
    SELECT s.app_id, c.*, 0 AS held
    FROM share s {_CREDENTIAL}
    CROSS JOIN LATERAL (
        SELECT c.id, c.message_id, c.due_at, m.weight FROM chunk c CROSS JOIN LATERAL (
            SELECT * FROM message m WHERE m.app_id = c.app_id AND m.id = c.message_id OFFSET 0) m
        WHERE c.lane = 'transactional' AND c.app_id = s.app_id AND c.credential_id = s.credential_id
          AND {_IS_FREE} AND {_MAY_END_OR_SEND}
        ORDER BY c.due_at LIMIT 2 * :limit) c),
"""  # noqa: S608 - all texts are ours.
# Who holds least for its weight comes next: first among apps, then among the messages of one.
# Some more than wanted are looked at, for others may take them at the same moment.
_CLAIM = f"""placed AS (
    SELECT r.*, (row_number() OVER (PARTITION BY r.app_id, r.message_id ORDER BY r.due_at, r.id)
                 + r.held) / r.weight::float8 AS place
    FROM ready r),
chosen AS MATERIALIZED (
    SELECT p.app_id, p.id, p.due_at,
           (row_number() OVER (PARTITION BY p.app_id ORDER BY p.place, p.due_at, p.id)
            + coalesce((SELECT sum(h.chunks) FROM held h WHERE h.app_id = p.app_id), 0))
           / a.weight::float8 AS turn
    FROM placed p JOIN app a ON a.id = p.app_id
    ORDER BY turn, due_at, id LIMIT 4 * :limit),
best AS (
    SELECT c.app_id, c.id, c.message_id, c.credential_id,
           c.lease_until IS NOT NULL AS is_abandoned
    FROM chosen p JOIN chunk c ON c.app_id = p.app_id AND c.id = p.id
    WHERE {_IS_FREE}
    ORDER BY p.turn, p.due_at, p.id LIMIT :limit
    FOR UPDATE OF c SKIP LOCKED)
UPDATE chunk c SET fence = c.fence + 1, lease_owner = :owner,
    lease_until = clock_timestamp() + make_interval(secs => :lease),
    first_attempt_at = coalesce(c.first_attempt_at, clock_timestamp())
FROM best b
CROSS JOIN LATERAL (
    SELECT * FROM message m WHERE m.app_id = b.app_id AND m.id = b.message_id OFFSET 0) m
CROSS JOIN LATERAL (
    SELECT * FROM credential k WHERE k.app_id = b.app_id AND k.id = b.credential_id OFFSET 0) k
WHERE c.app_id = b.app_id AND c.id = b.id
RETURNING c.app_id, c.id, c.message_id, c.credential_id, c.attempt, c.first_attempt_at,
    c.device_ids, c.person_ids, c.intended, c.open, c.cursor, c.fence, c.wait_reason,
    b.is_abandoned,
    k.updated_at AS credential_updated_at,
    m.public_id, m.day, m.policy, m.content, m.collapse_id, m.priority, m.rate_per_second,
    m.lane, m.weight, m.expires_at, coalesce(m.started_at, m.created_at)
        + make_interval(secs => m.ttl_seconds) AS kept_until
"""  # noqa: S608 - all texts are ours.
_BY_LANE = {
    "transactional": _APPS + _HANDS + _READY_BY_APP + _CLAIM,
    "campaign": _MESSAGES + _HANDS + _READY_BY_MESSAGE + _CLAIM,
}


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
        wait_reason=row.wait_reason,
        is_abandoned=row.is_abandoned,
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
