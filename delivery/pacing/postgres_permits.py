"""Permits from PostgreSQL while Redis is away: one row for each scope, the same arithmetic."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from delivery.pacing.gcra import Limit, Mark, Share, Wish, grant

# An interval can not hold more, and no message lives longer.
_LONGEST_SECONDS = 10 * 86_400.0
# The lock keeps others from ending the epoch before this transaction has ended.
_HOLDS = "SELECT epoch FROM pacer WHERE epoch = :epoch AND live = 'postgresql' FOR SHARE"
_ADD = text("INSERT INTO pace (scope) VALUES (:scope) ON CONFLICT DO NOTHING")
_READ = """
SELECT scope, per_second, arrival_at, reserved_at, slow_at, (SELECT clock_timestamp()) AS now
FROM pace WHERE scope = ANY(:scopes) ORDER BY scope FOR UPDATE
"""
# Reckoned from the moment of reading: a later one would lose what passed since, with every batch.
_WRITE = text(
    "UPDATE pace SET arrival_at = :arrival_at, per_second = :per_second, "
    "reserved_at = coalesce(CAST(:reserved AS timestamptz), reserved_at), "
    "slow_at = coalesce(CAST(:slow AS timestamptz), slow_at) WHERE scope = :scope"
)


def take(connection: Connection, epoch: int, limits: Sequence[Limit], wish: Wish) -> float | None:
    """Return the seconds to wait, as `gcra.grant` does; None when PostgreSQL is not the pacer.

    Runs in the caller's transaction, which must be short: the rows are locked until it ends.
    """
    if not rows(connection, _HOLDS, epoch=epoch):
        return None
    ordered = sorted(limits, key=lambda limit: limit.scope)
    scopes = [limit.scope for limit in ordered]
    found = _read(connection, scopes)
    for scope in [scope for scope in scopes if scope not in found]:
        connection.execute(_ADD, {"scope": scope})
    if len(found) < len(scopes):
        found = _read(connection, scopes)
    wait, marks = grant(ordered, [_mark(limit, found[limit.scope]) for limit in ordered], wish)
    if marks:
        after = [(limit, found[limit.scope]) for limit in ordered]
        values = [_values(*one, mark) for one, mark in zip(after, marks, strict=True)]
        connection.execute(_WRITE, values)
    return wait


def _read(connection: Connection, scopes: Sequence[str]) -> dict[str, Any]:
    return {row.scope: row for row in rows(connection, _READ, scopes=list(scopes))}


def _mark(limit: Limit, row: Any) -> Mark | None:
    if row.per_second is None:
        # It never gave permits.
        return None
    share_at = row.slow_at if limit.share is Share.SLOW else row.reserved_at
    due_in, reserved_in = row.arrival_at - row.now, share_at - row.now
    return Mark(due_in.total_seconds(), row.per_second, reserved_in.total_seconds())


def _values(limit: Limit, row: Any, mark: Mark) -> dict[str, Any]:
    share_at = row.now + timedelta(seconds=min(mark.reserved_in, _LONGEST_SECONDS))
    return {
        "reserved": None,
        "slow": None,
        limit.share.value: share_at,
        "scope": row.scope,
        "arrival_at": row.now + timedelta(seconds=min(mark.due_in, _LONGEST_SECONDS)),
        "per_second": mark.per_second,
    }
