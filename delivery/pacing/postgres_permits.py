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
SELECT scope, per_second,
       extract(epoch FROM arrival_at - clock_timestamp())::float8 AS due_in,
       extract(epoch FROM reserved_at - clock_timestamp())::float8 AS reserved_in
FROM pace WHERE scope = ANY(:scopes) ORDER BY scope FOR UPDATE
"""
_WRITE = text(
    "UPDATE pace SET arrival_at = clock_timestamp() + CAST(:due AS interval), "
    "per_second = :per_second, reserved_at = clock_timestamp() + CAST(:reserved AS interval) "
    "WHERE scope = :scope"
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
    wait, marks = grant(ordered, [found[scope] for scope in scopes], wish)
    for scope, mark in zip(scopes, marks, strict=False):
        connection.execute(_WRITE, {"scope": scope, **_values(mark)})
    return wait


def _read(connection: Connection, scopes: Sequence[str]) -> dict[str, Mark | None]:
    return {
        # A row that never gave permits has no rate yet.
        row.scope: Mark(row.due_in, row.per_second, row.reserved_in) if row.per_second else None
        for row in rows(connection, _READ, scopes=list(scopes))
    }


def _values(mark: Mark) -> dict[str, Any]:
    return {
        "due": timedelta(seconds=min(mark.due_in, _LONGEST_SECONDS)),
        "reserved": timedelta(seconds=min(mark.reserved_in, _LONGEST_SECONDS)),
        "per_second": mark.per_second,
    }
