"""SQL of events; every statement works on sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from segments.events.event import NewEvent

Driver = psycopg.Connection[Any]

# Keys are taken in one order, so that two who bring the same events never wait in a circle. Who
# comes second waits for the first: it is a duplicate only if the first is stored.
_STORE = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        CAST(%(uuids)s AS uuid[]), CAST(%(people)s AS int8[]), CAST(%(names)s AS text[]),
        CAST(%(moments)s AS timestamptz[]), CAST(%(properties)s AS jsonb[])
    ) AS g(uuid, person_id, name, at, properties)
),
fresh AS (
    INSERT INTO event_key (app_id, uuid) SELECT %(app_id)s, uuid FROM given ORDER BY uuid
    ON CONFLICT (app_id, uuid) DO NOTHING
    RETURNING uuid
),
written AS (
    INSERT INTO event (app_id, person_id, uuid, name, properties, at)
    SELECT %(app_id)s, person_id, uuid, name, properties, at FROM given JOIN fresh USING (uuid)
)
SELECT uuid::text FROM given WHERE uuid NOT IN (SELECT uuid FROM fresh)
"""
# OFFSET 0 makes each look-up go by the index, whatever the planner believes of a new table.
_KNOWN_BEFORE = """
SELECT g.uuid::text
FROM unnest(CAST(%(uuids)s AS uuid[]), CAST(%(names)s AS text[]),
            CAST(%(moments)s AS timestamptz[])) AS g(uuid, external_id, at),
LATERAL (SELECT person_id FROM person_name n
         WHERE n.app_id = %(app_id)s AND n.external_id = g.external_id OFFSET 0) AS p,
LATERAL (SELECT FROM event e
         WHERE e.app_id = %(app_id)s AND e.person_id = p.person_id AND e.at = g.at
           AND e.uuid = g.uuid LIMIT 1 OFFSET 0) AS known
"""
# One after the other for each app, so that two together do not pass the limit.
_LOCK_NAMES = "SELECT pg_advisory_xact_lock(hashtextextended('event_name', %(app_id)s))"
_KNOWN_NAMES = "SELECT name FROM event_name WHERE app_id = %(app_id)s AND name = ANY(%(names)s)"
_COUNT_NAMES = "SELECT count(*) FROM event_name WHERE app_id = %(app_id)s"
_ADD_NAMES = """
INSERT INTO event_name (app_id, name)
SELECT %(app_id)s, name FROM unnest(CAST(%(names)s AS text[])) AS wanted(name)
"""
_FORGET_KEYS = "DELETE FROM event_key WHERE created_at < now() - make_interval(days => %(days)s)"


def store(
    connection: Driver, app_id: int, events: Sequence[NewEvent], people: Sequence[int]
) -> set[str]:
    """Write events of these people, whose uuids all differ; return the uuids known before."""
    values = {
        "app_id": app_id,
        "uuids": _plain([event.uuid for event in events]),
        "people": _plain([str(person) for person in people]),
        "names": _quoted([event.name for event in events]),
        "moments": _plain([event.at.isoformat() for event in events]),
        "properties": _quoted([event.properties for event in events]),
    }
    return {row[0] for row in connection.execute(_STORE, values)}


def known_before(
    connection: Driver, app_id: int, events: Sequence[NewEvent], names: Sequence[str]
) -> set[str]:
    """Return the uuids of those events that are stored, of people called by these names."""
    values = {
        "app_id": app_id,
        "uuids": _plain([event.uuid for event in events]),
        "names": list(names),
        "moments": _plain([event.at.isoformat() for event in events]),
    }
    return {row[0] for row in connection.execute(_KNOWN_BEFORE, values)}


def admit_names(connection: Driver, app_id: int, names: Sequence[str], limit: int) -> set[str]:
    """Note new names of events, in their order and up to the limit; return those admitted."""
    values: Mapping[str, Any] = {"app_id": app_id, "names": list(names)}
    known = {row[0] for row in connection.execute(_KNOWN_NAMES, values)}
    if len(known) == len(names):
        return known
    connection.execute(_LOCK_NAMES, values)
    known = {row[0] for row in connection.execute(_KNOWN_NAMES, values)}
    (count,) = connection.execute(_COUNT_NAMES, values).fetchone() or (0,)
    new = [name for name in names if name not in known][: max(0, limit - count)]
    connection.execute(_ADD_NAMES, {"app_id": app_id, "names": new})
    return known | set(new)


def forget_keys(connection: Driver, days: int) -> int:
    """Remove the uuids of events that came longer ago; return how many."""
    return connection.execute(_FORGET_KEYS, {"days": days}).rowcount


def _plain(values: Sequence[str]) -> str:
    return "{" + ",".join(values) + "}"


def _quoted(values: Sequence[str]) -> str:
    """Return texts as an array literal."""
    joined = "\x00".join(values).replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + joined.replace("\x00", '","') + '"}'
