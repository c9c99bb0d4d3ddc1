"""SQL of the outbox: written with what it tells of, claimed by row, gone when acknowledged.

Where an app has no subscription for a kind, nothing is written; that costs one look at an index.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection, text

from core.database import rows
from delivery.outbox.entry import Entry, Kind
from delivery.outbox.tables import outbox_subscription

_LISTENS = text("""
SELECT EXISTS (SELECT FROM outbox_subscription s
               WHERE s.app_id = :app_id AND :kind = ANY(s.kinds))
""")
_PUT = text("""
INSERT INTO outbox (app_id, subscription_id, kind, facts)
SELECT s.app_id, s.id, :kind, facts
FROM outbox_subscription s, jsonb_array_elements(CAST(:entries AS jsonb)) AS listed(facts)
WHERE s.app_id = :app_id AND :kind = ANY(s.kinds)
""")
# The lease is a due time in the future: when it has passed, the entry is there for the next one.
_CLAIM = """
WITH due AS (
    SELECT app_id, id FROM outbox
    WHERE due_at <= clock_timestamp()
      AND (CAST(:subscription_id AS bigint) IS NULL OR subscription_id = :subscription_id)
    ORDER BY due_at, id LIMIT :limit FOR UPDATE SKIP LOCKED)
UPDATE outbox o
SET due_at = clock_timestamp() + make_interval(secs => :lease), attempts = o.attempts + 1,
    owner = :owner
FROM due d WHERE o.app_id = d.app_id AND o.id = d.id
RETURNING o.app_id, o.id, o.subscription_id, o.kind, o.facts, o.created_at, o.attempts
"""
_HELD = """
    FROM unnest(CAST(:apps AS int8[]), CAST(:ids AS int8[]), CAST(:attempts AS int4[]))
         AS h(app_id, id, attempts)
    WHERE o.app_id = h.app_id AND o.id = h.id AND o.attempts = h.attempts
    RETURNING o.id
"""
_ACKNOWLEDGE = f"DELETE FROM outbox o USING {_HELD.strip().removeprefix('FROM ')}"  # noqa: S608
_RELEASE = f"""
UPDATE outbox o SET owner = NULL,
    due_at = clock_timestamp() + make_interval(secs => :delay) {_HELD}
"""  # noqa: S608 - both texts are ours.
_PRUNE = "DELETE FROM outbox WHERE created_at < now() - make_interval(days => :days) RETURNING id"
_FACTS_LIMIT = 500


def subscribe(connection: Connection, app_id: int, name: str, kinds: Sequence[Kind]) -> int:
    """Have what happens from now on in an app written for a taker; return the inner id."""
    statement = (
        sa.insert(outbox_subscription)
        .values(app_id=app_id, name=name, kinds=list(kinds))
        .returning(outbox_subscription.c.id)
    )
    return int(connection.execute(statement).scalar_one())


def unsubscribe(connection: Connection, app_id: int, subscription_id: int) -> None:
    """Write nothing more for a taker, and drop what it has not taken."""
    values = {"app_id": app_id, "id": subscription_id}
    connection.execute(
        text("DELETE FROM outbox_subscription WHERE app_id = :app_id AND id = :id"), values
    )
    connection.execute(
        text("DELETE FROM outbox WHERE app_id = :app_id AND subscription_id = :id"), values
    )


def listens(connection: Connection, app_id: int, kind: Kind) -> bool:
    """Tell whether anybody wants to know: if not, facts need not be put together."""
    return bool(connection.scalar(_LISTENS, {"app_id": app_id, "kind": kind}))


def put(
    connection: Connection, app_id: int, kind: Kind, name: str, facts: Sequence[Mapping[str, Any]]
) -> None:
    """Write facts for everybody who wants to know, under a name, in the caller's transaction."""
    entries = [
        {name: facts[start : start + _FACTS_LIMIT]} for start in range(0, len(facts), _FACTS_LIMIT)
    ]
    values = {"app_id": app_id, "kind": kind, "entries": orjson.dumps(entries).decode()}
    connection.execute(_PUT, values)


def claim(
    connection: Connection,
    owner: str,
    *,
    lease_seconds: float,
    limit: int = 100,
    subscription_id: int | None = None,
) -> list[Entry]:
    """Take entries that are due, the longest waiting first; commit, then work on them.

    Nobody else gets them before the lease ends, by the database's clock. `owner` is for people
    who look into the table.
    """
    found = rows(
        connection,
        _CLAIM,
        owner=owner,
        lease=lease_seconds,
        limit=limit,
        subscription_id=subscription_id,
    )
    return sorted((Entry(*row) for row in found), key=lambda entry: entry.id)


def acknowledge(connection: Connection, entries: Sequence[Entry]) -> int:
    """Remove entries that are done; return how many were still held by this claim."""
    return len(rows(connection, _ACKNOWLEDGE, **_held(entries)))


def release(connection: Connection, entries: Sequence[Entry], delay_seconds: float) -> int:
    """Hand entries back, to be claimed after a delay; return how many were still held."""
    return len(rows(connection, _RELEASE, **_held(entries), delay=delay_seconds))


def prune(connection: Connection, days: int) -> int:
    """Remove what nobody has taken for so long; return how many entries."""
    return len(rows(connection, _PRUNE, days=days))


def _held(entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "apps": [entry.app_id for entry in entries],
        "ids": [entry.id for entry in entries],
        "attempts": [entry.attempt for entry in entries],
    }
