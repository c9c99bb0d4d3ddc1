"""People as they were at a past moment: from the present back, change by change.

Exact since a person's creation, as far back as changes are kept. Whoever has been merged away since
was a person then, and whoever was merged at that moment only was none.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from core.database import rows
from segments.people.person import Person

# A statement that selects id, external_id, attributes, locale, time_zone, country, created_at,
# updated_at of everybody at `:moment`; with `:ids` not null only of those.
PEOPLE_AS_OF = """
WITH there AS (
    SELECT p.id, p.external_id, p.attributes, p.locale, p.time_zone, p.country, p.created_at,
           p.updated_at
    FROM person p
    WHERE p.app_id = :app_id AND p.created_at <= :moment
      AND (CAST(:ids AS bigint[]) IS NULL OR p.id = ANY(:ids))
      AND NOT EXISTS (
          SELECT FROM person_merge m WHERE m.app_id = :app_id AND m.from_id = p.id
            AND m.merged_at <= :moment AND m.undone_at > :moment)
    UNION ALL
    SELECT m.from_id, m.from_external_id, m.from_attributes, m.from_locale, m.from_time_zone,
           m.from_country, m.from_created_at, m.from_updated_at
    FROM person_merge m
    WHERE m.app_id = :app_id AND m.from_created_at <= :moment AND m.merged_at > :moment
      AND m.undone_at IS NULL AND (CAST(:ids AS bigint[]) IS NULL OR m.from_id = ANY(:ids))
      AND NOT EXISTS (
          SELECT FROM person_merge e WHERE e.app_id = :app_id AND e.from_id = m.from_id
            AND e.merged_at <= :moment AND e.undone_at > :moment)),
later AS (
    SELECT * FROM person_change c WHERE c.app_id = :app_id AND c.at > :moment
      AND (CAST(:ids AS bigint[]) IS NULL OR c.person_id = ANY(:ids))),
first_values AS (
    SELECT DISTINCT ON (l.person_id, named.key) l.person_id, named.key,
           l.before -> named.key AS value
    FROM later l CROSS JOIN LATERAL jsonb_object_keys(l.before || l.after) AS named(key)
    ORDER BY l.person_id, named.key, l.id),
taken_back AS (
    SELECT person_id, array_agg(key) AS keys,
           coalesce(jsonb_object_agg(key, value) FILTER (WHERE value IS NOT NULL), '{}') AS put
    FROM first_values GROUP BY person_id),
told AS (
    SELECT person_id, jsonb_object_agg(key, value) AS about FROM (
        SELECT DISTINCT ON (l.person_id, told.key) l.person_id, told.key, told.value
        FROM later l CROSS JOIN LATERAL jsonb_each(l.about_before) AS told(key, value)
        ORDER BY l.person_id, told.key, l.id) AS firsts
    GROUP BY person_id)
SELECT t.id, t.external_id,
       CASE WHEN b.keys IS NULL THEN t.attributes ELSE (t.attributes - b.keys) || b.put END
           AS attributes,
       CASE WHEN o.about ? 'locale' THEN o.about ->> 'locale' ELSE t.locale END AS locale,
       CASE WHEN o.about ? 'time_zone' THEN o.about ->> 'time_zone' ELSE t.time_zone END
           AS time_zone,
       CASE WHEN o.about ? 'country' THEN o.about ->> 'country' ELSE t.country END AS country,
       t.created_at, t.updated_at
FROM there t
LEFT JOIN taken_back b ON b.person_id = t.id
LEFT JOIN told o ON o.person_id = t.id
"""


def people_as_of(
    connection: Connection, app_id: int, moment: datetime, ids: Sequence[int] | None = None
) -> list[Person]:
    """Return everybody as they were at a moment, or those of `ids` who were there, in no order.

    They are called as they are called today. `updated_at` is that of today.
    """
    wanted = None if ids is None else list(ids)
    found = rows(connection, PEOPLE_AS_OF, app_id=app_id, moment=moment, ids=wanted)
    return [Person(*row) for row in found]
