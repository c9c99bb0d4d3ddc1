"""Permits from PostgreSQL while Redis is away: one row for each scope, the same arithmetic."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from delivery.pacing.gcra import Limit, Mark, Wish, grant

# An interval can not hold more, and no message lives longer.
_LONGEST_SECONDS = 10 * 86_400.0
# The lock keeps others from ending the epoch before this transaction has ended.
_HOLDS = "SELECT epoch FROM pacer WHERE epoch = :epoch AND live = 'postgresql' FOR SHARE"
_ADD = text("INSERT INTO pace (scope) VALUES (:scope) ON CONFLICT DO NOTHING")
_READ = """
SELECT scope, per_second, arrival_at, reserved_at, (SELECT clock_timestamp()) AS now
FROM pace WHERE scope = ANY(:scopes) ORDER BY scope FOR UPDATE
"""
# Reckoned from the moment of reading: a later one would lose what passed since, with every batch.
_WRITE = text(
    "UPDATE pace SET arrival_at = :arrival_at, per_second = :per_second, "
    "reserved_at = :reserved_at WHERE scope = :scope"
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
    wait, marks = grant(ordered, [_mark(found[scope]) for scope in scopes], wish)
    if marks:
        after = zip(scopes, marks, strict=True)
        connection.execute(_WRITE, [_values(found[scope], mark) for scope, mark in after])
    return wait


def _read(connection: Connection, scopes: Sequence[str]) -> dict[str, Any]:
    return {row.scope: row for row in rows(connection, _READ, scopes=list(scopes))}


def _mark(row: Any) -> Mark | None:
    if row.per_second is None:
        # It never gave permits.
        return None
    due_in, reserved_in = row.arrival_at - row.now, row.reserved_at - row.now
    return Mark(due_in.total_seconds(), row.per_second, reserved_in.total_seconds())


def _values(row: Any, mark: Mark) -> dict[str, Any]:
    return {
        "scope": row.scope,
        "arrival_at": row.now + timedelta(seconds=min(mark.due_in, _LONGEST_SECONDS)),
        "reserved_at": row.now + timedelta(seconds=min(mark.reserved_in, _LONGEST_SECONDS)),
        "per_second": mark.per_second,
    }
