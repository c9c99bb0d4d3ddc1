"""SQL of what moves in segments at a merge: events, consents and lists, each by one set."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from core.database import rows
from segments.identity.merge import Merging, Moved

_EVENTS = """
UPDATE event SET person_id = :into_id WHERE app_id = :app_id AND person_id = :from_id
RETURNING id, at
"""
# Each is found by its key; what came under the other name since stays with the other person.
_EVENTS_BACK = text("""
UPDATE event e SET person_id = :from_id
FROM unnest(CAST(:ids AS bigint[]), CAST(:moments AS timestamptz[])) AS moved(id, at)
WHERE e.app_id = :app_id AND e.at = moved.at AND e.id = moved.id AND e.person_id = :into_id
""")

# The newer decision holds; of two at the same moment, the refusal.
_CONSENTS = """
WITH theirs AS (
    DELETE FROM consent WHERE app_id = :app_id AND person_id = :from_id
    RETURNING kind, granted, source, at),
own AS (
    SELECT kind, granted, source, at FROM consent
    WHERE app_id = :app_id AND person_id = :into_id FOR UPDATE),
put AS (
    INSERT INTO consent AS c (app_id, person_id, kind, granted, source, at)
    SELECT :app_id, :into_id, t.kind, t.granted, t.source, t.at
    FROM theirs t LEFT JOIN own o USING (kind)
    WHERE o.kind IS NULL OR (t.at, o.granted AND NOT t.granted) > (o.at, false)
    ON CONFLICT (app_id, person_id, kind)
    DO UPDATE SET granted = excluded.granted, source = excluded.source, at = excluded.at
    RETURNING kind, granted, source, at)
SELECT coalesce((SELECT jsonb_agg(to_jsonb(t)) FROM theirs t), '[]') AS theirs,
       coalesce((SELECT jsonb_agg(to_jsonb(o)) FROM own o), '[]') AS own,
       coalesce((SELECT jsonb_agg(to_jsonb(p)) FROM put p), '[]') AS put
"""
_CHANGES = """
UPDATE consent_change SET person_id = :into_id WHERE app_id = :app_id AND person_id = :from_id
RETURNING id
"""
_CHANGES_BACK = text("""
UPDATE consent_change SET person_id = :from_id
WHERE app_id = :app_id AND id = ANY(:ids) AND person_id = :into_id
""")
# What was decided since the merge stays as it is.
_PUT_AWAY = text("""
DELETE FROM consent c
USING jsonb_to_recordset(CAST(:put AS jsonb))
    AS p(kind text, granted boolean, source text, at timestamptz)
WHERE c.app_id = :app_id AND c.person_id = :into_id AND c.kind = p.kind
  AND (c.granted, c.source, c.at) = (p.granted, p.source, p.at)
""")
_PUT_BACK = text("""
INSERT INTO consent (app_id, person_id, kind, granted, source, at)
SELECT :app_id, :person_id, kind, granted, source, at
FROM jsonb_to_recordset(CAST(:listed AS jsonb))
    AS l(kind text, granted boolean, source text, at timestamptz)
ON CONFLICT (app_id, person_id, kind) DO NOTHING
""")

# Who stays is on every list that one of both was on.
_LISTS = """
WITH theirs AS (
    DELETE FROM list_member WHERE app_id = :app_id AND person_id = :from_id RETURNING list_id),
put AS (
    INSERT INTO list_member (app_id, list_id, person_id)
    SELECT :app_id, list_id, :into_id FROM theirs
    ON CONFLICT (app_id, list_id, person_id) DO NOTHING RETURNING list_id)
SELECT coalesce((SELECT array_agg(list_id) FROM theirs), '{}') AS theirs,
       coalesce((SELECT array_agg(list_id) FROM put), '{}') AS put
"""
_LISTS_AWAY = text("""
DELETE FROM list_member
WHERE app_id = :app_id AND person_id = :into_id AND list_id = ANY(:put)
""")
# A list may have been deleted since.
_LISTS_BACK = text("""
INSERT INTO list_member (app_id, list_id, person_id)
SELECT app_id, id, :from_id FROM segment_list WHERE app_id = :app_id AND id = ANY(:ids)
ON CONFLICT (app_id, list_id, person_id) DO NOTHING
""")


def move_events(connection: Connection, one: Merging) -> Moved:
    """Give all events of the one to the other."""
    found = rows(connection, _EVENTS, **_ids(one))
    ids: list[int] = [row.id for row in found]
    moments: list[datetime] = [row.at for row in found]
    return Moved(ids, moments)


def move_events_back(connection: Connection, one: Merging, moved: Moved) -> None:
    """Give back those events that moved."""
    values = {**_ids(one), "ids": list(moved.ids), "moments": list(moved.moments or ())}
    connection.execute(_EVENTS_BACK, values)


def move_consents(connection: Connection, one: Merging) -> Moved:
    """Merge what both have decided, and give the record of decisions to the other."""
    found = rows(connection, _CONSENTS, **_ids(one))[0]
    changes = [row.id for row in rows(connection, _CHANGES, **_ids(one))]
    detail = {"theirs": found.theirs, "own": found.own, "put": found.put}
    return Moved(changes, detail=detail, count=len(found.theirs))


def move_consents_back(connection: Connection, one: Merging, moved: Moved) -> None:
    """Let both have decided what they had decided, and the one what it decided since."""
    detail: Any = moved.detail
    connection.execute(_PUT_AWAY, {**_ids(one), "put": _json(detail["put"])})
    for person_id, listed in ((one.into_id, detail["own"]), (one.from_id, detail["theirs"])):
        values = {"app_id": one.app_id, "person_id": person_id, "listed": _json(listed)}
        connection.execute(_PUT_BACK, values)
    connection.execute(_CHANGES_BACK, {**_ids(one), "ids": list(moved.ids)})


def move_lists(connection: Connection, one: Merging) -> Moved:
    """Put who stays on all lists of the other."""
    found = rows(connection, _LISTS, **_ids(one))[0]
    return Moved(found.theirs, detail={"put": found.put})


def move_lists_back(connection: Connection, one: Merging, moved: Moved) -> None:
    """Put the other back on those lists, and take who stayed off those it came to by this."""
    put = (moved.detail or {"put": []})["put"]
    connection.execute(_LISTS_AWAY, {**_ids(one), "put": put})
    connection.execute(_LISTS_BACK, {**_ids(one), "ids": list(moved.ids)})


def _ids(one: Merging) -> dict[str, int]:
    return {"app_id": one.app_id, "from_id": one.from_id, "into_id": one.into_id}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
