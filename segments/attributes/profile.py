"""What values attributes have: from a sample of people, which is everybody where there are few."""

from sqlalchemy import Connection, text

from core.database import rows

SAMPLE = 20_000
_EXAMPLES = 5
_EXAMPLE_CHARACTERS = 100
# An app is looked at again when it has changed, and in any case now and then: a value that
# replaces another of its kind changes no count.
_SOON_SECONDS, _LATE_SECONDS = 15, 600

_DUE = """
SELECT c.app_id FROM (SELECT app_id, max(updated_at) AS changed_at FROM attribute_count
                      GROUP BY app_id) c
LEFT JOIN attribute_scan s ON s.app_id = c.app_id
WHERE s.at IS NULL OR s.at < now() - make_interval(secs => :late)
   OR (s.at < c.changed_at AND s.at < now() - make_interval(secs => :soon))
ORDER BY s.at NULLS FIRST LIMIT 1
"""
_CLAIM = "SELECT pg_try_advisory_xact_lock(:space, CAST(:app_id % 2147483647 AS integer)) AS mine"
_CLAIM_SPACE = 0x617475
_ALL = "SELECT attributes FROM person WHERE app_id = :app_id"
# People behind random places between the first id and the last.
_SOME = """
SELECT p.attributes FROM (
    SELECT DISTINCT found.id FROM (
        SELECT first + floor(random() * (last - first + 1))::bigint AS place
        FROM (SELECT min(id) AS first, max(id) AS last FROM person WHERE app_id = :app_id) b,
             generate_series(1, :sample)) AS places
    CROSS JOIN LATERAL (SELECT id FROM person WHERE app_id = :app_id AND id >= place
                        ORDER BY id LIMIT 1) AS found) AS chosen
CROSS JOIN LATERAL (
    SELECT attributes FROM person WHERE app_id = :app_id AND id = chosen.id OFFSET 0) AS p
"""
# The estimate is the one of ANALYZE (Haas and Stokes, "Duj1"): n d / (n - f1 + f1 n / N), where n
# values of N were seen, d of them different, f1 only once.
_PROFILE = """
WITH sample AS MATERIALIZED ({people}),
seen AS MATERIALIZED (
    SELECT key AS name, value, count(*) AS times FROM sample, jsonb_each(attributes)
    GROUP BY 1, 2),
summed AS (
    SELECT name, sum(times) AS n, count(*) AS d, count(*) FILTER (WHERE times = 1) AS f1
    FROM seen GROUP BY name),
held AS (
    SELECT name, sum(people) AS total FROM attribute_count WHERE app_id = :app_id GROUP BY name),
ranked AS (
    SELECT name, value, times, row_number() OVER (
        PARTITION BY name ORDER BY times DESC, value) AS place FROM seen),
shown AS (
    SELECT name, jsonb_agg(CASE WHEN length(value::text) > :characters
                           THEN to_jsonb(left(value #>> '{{}}', :characters)) ELSE value END
                           ORDER BY place) AS examples
    FROM ranked WHERE place <= :examples GROUP BY name)
INSERT INTO attribute_profile (app_id, name, values_seen, distinct_values, is_whole, examples)
SELECT :app_id, s.name, s.n, CASE WHEN :is_whole THEN s.d ELSE greatest(s.d, least(h.total,
           round(s.n * s.d / (s.n - s.f1 + s.f1 * s.n / greatest(h.total, s.n))))) END,
       :is_whole, x.examples
FROM summed s JOIN shown x USING (name) LEFT JOIN held h USING (name)
"""


def profile_next(connection: Connection, sample: int = SAMPLE) -> int | None:
    """Look at the values of the app that is due; return its id, None when none is."""
    due = rows(connection, _DUE, soon=_SOON_SECONDS, late=_LATE_SECONDS)
    if not due:
        return None
    app_id: int = due[0].app_id
    if not rows(connection, _CLAIM, space=_CLAIM_SPACE, app_id=app_id)[0].mine:
        return None
    profile(connection, app_id, sample)
    return app_id


def profile(connection: Connection, app_id: int, sample: int = SAMPLE) -> None:
    """Look at the values of an app's attributes now."""
    people = rows(
        connection,
        "SELECT count(*) FROM (SELECT FROM person WHERE app_id = :app_id LIMIT :most) AS few",
        app_id=app_id,
        most=sample + 1,
    )[0].count
    is_whole = people <= sample
    values = {"app_id": app_id, "is_whole": is_whole, "examples": _EXAMPLES}
    values |= {"characters": _EXAMPLE_CHARACTERS, **({} if is_whole else {"sample": sample})}
    connection.execute(text("DELETE FROM attribute_profile WHERE app_id = :app_id"), values)
    connection.execute(text(_PROFILE.format(people=_ALL if is_whole else _SOME)), values)
    connection.execute(
        text("""
        INSERT INTO attribute_scan (app_id, people, at) VALUES (:app_id, :people, now())
        ON CONFLICT (app_id) DO UPDATE SET people = excluded.people, at = excluded.at
        """),
        {"app_id": app_id, "people": min(people, sample)},
    )
