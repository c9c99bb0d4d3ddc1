"""SQL of people by the thousand: copied into a temporary table, then merged as one set."""

from collections.abc import Sequence
from typing import Any, cast

import orjson
import psycopg
from sqlalchemy import Connection, text

from segments.people.person import ATTRIBUTES_LIMIT_BYTES, PersonChange

_CREATE = text("""
CREATE TEMPORARY TABLE import_person (
    external_id text NOT NULL, attributes jsonb NOT NULL, locale text, time_zone text,
    country text
) ON COMMIT DROP
""")
_DROP = text("DROP TABLE pg_temp.import_person")
_COPY = (
    "COPY pg_temp.import_person (external_id, attributes, locale, time_zone, country) FROM STDIN"
)

# Rows are taken in the order of their names, as batches do: nobody waits in a circle. A person
# who is already so stays untouched, so that a repetition changes nothing.
_MERGE = text("""
WITH written AS (
    INSERT INTO person AS p (app_id, external_id, attributes, locale, time_zone, country)
    SELECT :app_id, external_id, attributes, locale, time_zone, country
    FROM pg_temp.import_person
    WHERE octet_length(attributes::text) <= :limit
    ORDER BY external_id COLLATE "C"
    ON CONFLICT (app_id, external_id) DO UPDATE
    SET attributes = p.attributes || excluded.attributes,
        locale = coalesce(excluded.locale, p.locale),
        time_zone = coalesce(excluded.time_zone, p.time_zone),
        country = coalesce(excluded.country, p.country),
        updated_at = now()
    WHERE octet_length((p.attributes || excluded.attributes)::text) <= :limit
      AND (p.attributes || excluded.attributes <> p.attributes
           OR coalesce(excluded.locale, p.locale) IS DISTINCT FROM p.locale
           OR coalesce(excluded.time_zone, p.time_zone) IS DISTINCT FROM p.time_zone
           OR coalesce(excluded.country, p.country) IS DISTINCT FROM p.country)
    RETURNING external_id, xmax = 0 AS is_new
),
told AS (
    INSERT INTO outbox (app_id, subscription_id, kind, facts)
    SELECT s.app_id, s.id, 'person.changed', jsonb_build_object('people', f.people)
    FROM outbox_subscription s
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('external_id', n.external_id, 'is_new', n.is_new))
                   AS people
        FROM (SELECT *, (row_number() OVER () - 1) / 500 AS part FROM written WHERE s.id > 0) AS n
        GROUP BY n.part) AS f
    WHERE s.app_id = :app_id AND 'person.changed' = ANY(s.kinds)
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
""")
# The inner query finds each person by index, whatever the planner believes of a new table.
_REFUSED = text("""
SELECT external_id FROM pg_temp.import_person i
WHERE octet_length((coalesce((SELECT p.attributes FROM person p
                              WHERE p.app_id = :app_id AND p.external_id = i.external_id), '{}')
                    || i.attributes)::text) > :limit
""")


def merge(
    connection: Connection, app_id: int, changes: Sequence[PersonChange]
) -> tuple[int, int, set[str]]:
    """Create or merge people, each named once; no change may clear anything.

    Returns how many were created, how many changed, and who would pass the limit of attributes.
    """
    connection.execute(_CREATE)
    _copy(connection, changes)
    values = {"app_id": app_id, "limit": ATTRIBUTES_LIMIT_BYTES}
    created, updated = connection.execute(_MERGE, values).one()
    refused: set[str] = set()
    if created + updated < len(changes):
        refused = set(connection.execute(_REFUSED, values).scalars())
    connection.execute(_DROP)
    return created, updated, refused


def _copy(connection: Connection, changes: Sequence[PersonChange]) -> None:
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for change in changes:
            given = change.fields.get
            copy.write_row(
                (
                    change.external_id,
                    orjson.dumps(change.attributes).decode(),
                    given("locale"),
                    given("time_zone"),
                    given("country"),
                )
            )
