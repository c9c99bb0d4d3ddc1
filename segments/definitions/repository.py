"""SQL of segments and their versions, and of what segments name."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from segments.definitions.segment import NewSegment, Segment, SegmentVersion

_COLUMNS = "id, public_id, name, description, rule, rule_hash, version, created_at, updated_at"
# A version is written with the row it is a copy of.
_INSERT = f"""
WITH made AS (
    INSERT INTO segment (app_id, public_id, name, description, rule, rule_hash, named_segments)
    VALUES (:app_id, :public_id, :name, :description, CAST(:rule AS jsonb), :rule_hash, :named)
    RETURNING *),
kept AS (
    INSERT INTO segment_version (app_id, segment_id, version, name, description, rule, rule_hash,
                                 created_by, created_at)
    SELECT app_id, id, version, name, description, rule, rule_hash, :by, updated_at FROM made)
SELECT {_COLUMNS} FROM made
"""  # noqa: S608  All parts are ours.
_UPDATE = f"""
WITH made AS (
    UPDATE segment SET name = :name, description = :description, rule = CAST(:rule AS jsonb),
        rule_hash = :rule_hash, named_segments = :named, version = version + 1,
        updated_at = clock_timestamp()
    WHERE app_id = :app_id AND id = :id RETURNING *),
kept AS (
    INSERT INTO segment_version (app_id, segment_id, version, name, description, rule, rule_hash,
                                 created_by, created_at)
    SELECT app_id, id, version, name, description, rule, rule_hash, :by, updated_at FROM made)
SELECT {_COLUMNS} FROM made
"""  # noqa: S608  All parts are ours.
_FIND = f"SELECT {_COLUMNS} FROM segment WHERE app_id = :app_id AND public_id = :public_id"  # noqa: S608
_AFTER = f"""
SELECT {_COLUMNS} FROM segment WHERE app_id = :app_id AND id > :after ORDER BY id LIMIT :limit
"""  # noqa: S608
_VERSIONS = """
SELECT version, name, description, rule, rule_hash, created_by, created_at
FROM segment_version WHERE app_id = :app_id AND segment_id = :id
  AND version < coalesce(CAST(:before AS integer), 2147483647)
ORDER BY version DESC LIMIT :limit
"""
_RULES = """
SELECT public_id, rule FROM segment WHERE app_id = :app_id AND public_id = ANY(:public_ids)
"""
_NAMING = """
SELECT public_id FROM segment WHERE app_id = :app_id AND :public_id = ANY(named_segments)
ORDER BY id LIMIT 10
"""

# All that lead to one, by however many others.
_LEADING = """
WITH RECURSIVE found AS (
    SELECT id, public_id FROM segment WHERE app_id = :app_id AND :public_id = ANY(named_segments)
    UNION
    SELECT s.id, s.public_id FROM segment s
    JOIN found f ON f.public_id = ANY(s.named_segments) WHERE s.app_id = :app_id)
SELECT public_id FROM found ORDER BY id
"""


def lock(connection: Connection, app_id: int) -> None:
    """Let nobody else change segments of this app until the transaction ends.

    Two who let two segments name each other would each see no circle.
    """
    rows(
        connection,
        "SELECT pg_advisory_xact_lock(hashtextextended('segment', :app_id))",
        app_id=app_id,
    )


def count(connection: Connection, app_id: int) -> int:
    """Return how many segments an app has."""
    found = rows(connection, "SELECT count(*) FROM segment WHERE app_id = :app_id", app_id=app_id)
    return int(found[0][0])


def insert(connection: Connection, app_id: int, public_id: str, **values: Any) -> Segment:
    """Store a segment and its first version; `values` are those of `columns_of`."""
    return Segment(*rows(connection, _INSERT, app_id=app_id, public_id=public_id, **values)[0])


def update(connection: Connection, app_id: int, segment_id: int, **values: Any) -> Segment:
    """Store a new version; `values` are those of `columns_of`."""
    return Segment(*rows(connection, _UPDATE, app_id=app_id, id=segment_id, **values)[0])


def columns_of(
    new: NewSegment, rule_hash: str, named: Iterable[str], created_by: str
) -> dict[str, Any]:
    """Return what is stored of a segment."""
    return {
        "name": new.name,
        "description": new.description,
        "rule": json.dumps(new.rule, ensure_ascii=False),
        "rule_hash": rule_hash,
        "named": sorted(named),
        "by": created_by,
    }


def find(connection: Connection, app_id: int, public_id: str) -> Segment | None:
    """Return one segment."""
    found = rows(connection, _FIND, app_id=app_id, public_id=public_id)
    return Segment(*found[0]) if found else None


def list_after(connection: Connection, app_id: int, after: int, limit: int) -> list[Segment]:
    """Return segments in the order they were made, beginning behind the inner id `after`."""
    found = rows(connection, _AFTER, app_id=app_id, after=after, limit=limit)
    return [Segment(*row) for row in found]


def versions(
    connection: Connection, app_id: int, segment_id: int, *, before: int | None, limit: int
) -> list[SegmentVersion]:
    """Return the versions of a segment, newest first, before the version `before`."""
    values = {"app_id": app_id, "id": segment_id, "before": before, "limit": limit}
    return [SegmentVersion(*row) for row in rows(connection, _VERSIONS, **values)]


def load_rules(connection: Connection, app_id: int, public_ids: Iterable[str]) -> dict[str, Any]:
    """Return the rules, as they were written, of those of the segments that exist."""
    found = rows(connection, _RULES, app_id=app_id, public_ids=sorted(public_ids))
    return {row.public_id: row.rule for row in found}


def naming(connection: Connection, app_id: int, public_id: str) -> Sequence[str]:
    """Return segments whose rules name this one, up to ten."""
    return [row.public_id for row in rows(connection, _NAMING, app_id=app_id, public_id=public_id)]


def leading_to(connection: Connection, app_id: int, public_id: str) -> Sequence[str]:
    """Return all segments whose rules lead to this one."""
    return [row.public_id for row in rows(connection, _LEADING, app_id=app_id, public_id=public_id)]


def hold(connection: Connection, app_id: int, public_id: str, *, to_delete: bool = False) -> None:
    """Have a segment stay until the transaction ends; `to_delete` waits for all who hold it."""
    strength = "UPDATE" if to_delete else "KEY SHARE"
    statement = f"""
        SELECT FROM segment WHERE app_id = :app_id AND public_id = :public_id FOR {strength}
    """
    connection.execute(text(statement), {"app_id": app_id, "public_id": public_id})


def delete(connection: Connection, app_id: int, segment_id: int) -> None:
    """Remove a segment with all its versions."""
    connection.execute(
        text("DELETE FROM segment WHERE app_id = :app_id AND id = :id"),
        {"app_id": app_id, "id": segment_id},
    )


def known_events(connection: Connection, app_id: int) -> set[str]:
    """Return the names of events that an app has used."""
    found = rows(connection, "SELECT name FROM event_name WHERE app_id = :app_id", app_id=app_id)
    return {row.name for row in found}


def known_lists(connection: Connection, app_id: int, public_ids: Iterable[str]) -> set[str]:
    """Return those of the static lists that exist."""
    found = rows(
        connection,
        "SELECT public_id FROM segment_list WHERE app_id = :app_id AND public_id = ANY(:ids)",
        app_id=app_id,
        ids=sorted(public_ids),
    )
    return {row.public_id for row in found}
