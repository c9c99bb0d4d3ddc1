"""SQL of merges: the record of each, and what it does to the row of the person who stays."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from core.database import rows
from core.ids import new_public_id
from segments.identity.conflicts import MergeRule, Side
from segments.identity.merge import Merge, Moved

ABOUT = ("locale", "time_zone", "country")
_COLUMNS = ", ".join(Merge.__dataclass_fields__)

# Only what both hold is in question, and of it only what has changed since the person was made.
_CHANGED_AT = """
SELECT c.person_id, k.is_about, k.key, max(c.at) AS at FROM person_change c
CROSS JOIN LATERAL (
    SELECT false AS is_about, key FROM jsonb_object_keys(c.before || c.after) AS named(key)
    WHERE key = ANY(:names)
    UNION SELECT true, key FROM jsonb_object_keys(c.about_after) AS told(key)) AS k
WHERE c.app_id = :app_id AND c.person_id = ANY(:ids)
GROUP BY c.person_id, k.is_about, k.key
"""
_ADD = f"""
INSERT INTO person_merge (app_id, public_id, into_id, into_external_id, from_id,
    from_external_id, from_attributes, from_locale, from_time_zone, from_country,
    from_created_at, from_updated_at, names, before, after, about_before, about_after, counts)
SELECT :app_id, :public_id, i.id, i.external_id, f.id, f.external_id, f.attributes, f.locale,
       f.time_zone, f.country, f.created_at, f.updated_at, :names, '{{}}', '{{}}', '{{}}', '{{}}',
       '{{}}'
FROM person i, person f
WHERE i.app_id = :app_id AND i.id = :into_id AND f.app_id = :app_id AND f.id = :from_id
RETURNING {_COLUMNS}
"""  # noqa: S608  All parts are ours.
# Values are copied as they are: no number goes through another kind of number.
_COMBINE = """
WITH both_of AS (
    SELECT i.attributes AS own, f.attributes AS other,
           jsonb_build_object('locale', i.locale, 'time_zone', i.time_zone,
                              'country', i.country) AS own_about,
           jsonb_build_object('locale', f.locale, 'time_zone', f.time_zone,
                              'country', f.country) AS other_about
    FROM person i, person f
    WHERE i.app_id = :app_id AND i.id = :into_id AND f.app_id = :app_id AND f.id = :from_id),
patch AS (
    SELECT coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(other)
                     WHERE key = ANY(:taken)), '{}')
        || coalesce((SELECT jsonb_object_agg(
                key, (own ->> key)::numeric + (other ->> key)::numeric)
            FROM unnest(CAST(:summed AS text[])) AS s(key)), '{}') AS attributes,
        coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(other_about)
                  WHERE key = ANY(:told)), '{}') AS about,
        own, own_about
    FROM both_of)
UPDATE person p
SET attributes = p.attributes || patch.attributes,
    locale = (own_about || about) ->> 'locale',
    time_zone = (own_about || about) ->> 'time_zone',
    country = (own_about || about) ->> 'country',
    updated_at = now()
FROM patch WHERE p.app_id = :app_id AND p.id = :into_id
RETURNING octet_length(p.attributes::text) AS size,
    jsonb_beyond(own, p.attributes) AS before, jsonb_beyond(p.attributes, own) AS after,
    jsonb_beyond(own_about, own_about || about) AS about_before,
    jsonb_beyond(own_about || about, own_about) AS about_after
"""
_NOTE = text("""
UPDATE person_merge m
SET before = b.before, after = b.after, about_before = b.about_before,
    about_after = b.about_after, counts = b.counts
FROM jsonb_to_record(CAST(:changed AS jsonb))
    AS b(before jsonb, after jsonb, about_before jsonb, about_after jsonb, counts jsonb)
WHERE m.app_id = :app_id AND m.id = :id
""")
# What has another value by now was changed since, and stays.
_REVERT = text("""
WITH m AS (SELECT * FROM person_merge WHERE app_id = :app_id AND id = :id),
own AS (SELECT p.* FROM person p JOIN m ON p.app_id = m.app_id AND p.id = m.into_id),
back AS (
    SELECT key FROM own, m, jsonb_object_keys(m.before || m.after) AS named(key)
    WHERE own.attributes -> key IS NOT DISTINCT FROM m.after -> key)
UPDATE person p
SET attributes = (p.attributes - ARRAY(SELECT key FROM back)) || coalesce(
        (SELECT jsonb_object_agg(b.key, m.before -> b.key) FROM back b
         WHERE m.before ? b.key), '{}'),
    locale = CASE WHEN m.about_after ? 'locale'
                   AND p.locale IS NOT DISTINCT FROM m.about_after ->> 'locale'
             THEN m.about_before ->> 'locale' ELSE p.locale END,
    time_zone = CASE WHEN m.about_after ? 'time_zone'
                      AND p.time_zone IS NOT DISTINCT FROM m.about_after ->> 'time_zone'
                THEN m.about_before ->> 'time_zone' ELSE p.time_zone END,
    country = CASE WHEN m.about_after ? 'country'
                    AND p.country IS NOT DISTINCT FROM m.about_after ->> 'country'
              THEN m.about_before ->> 'country' ELSE p.country END,
    updated_at = now()
FROM m WHERE p.app_id = :app_id AND p.id = m.into_id
""")
_RESTORE = text("""
INSERT INTO person (app_id, id, external_id, attributes, locale, time_zone, country, created_at,
                    updated_at) OVERRIDING SYSTEM VALUE
SELECT app_id, from_id, from_external_id, from_attributes, from_locale, from_time_zone,
       from_country, from_created_at, from_updated_at
FROM person_merge WHERE app_id = :app_id AND id = :id
""")


@dataclass(frozen=True, slots=True)
class Pair:
    """What both hold, of attributes or about themselves, and the rules of attributes."""

    into: Side
    other: Side
    rules: Mapping[str, MergeRule]


def read_pairs(
    connection: Connection, app_id: int, into_id: int, from_id: int
) -> tuple[Pair, Pair]:
    """Return the attributes of both, and their locales, time zones and countries."""
    found = rows(
        connection,
        """SELECT id, attributes, locale, time_zone, country, created_at FROM person
           WHERE app_id = :app_id AND id = ANY(:ids)""",
        app_id=app_id,
        ids=[into_id, from_id],
    )
    people = {row.id: row for row in found}
    shared = sorted(people[into_id].attributes.keys() & people[from_id].attributes.keys())
    changed: defaultdict[tuple[int, bool], dict[str, datetime]] = defaultdict(dict)
    asked = {"app_id": app_id, "ids": [into_id, from_id], "names": shared}
    for row in rows(connection, _CHANGED_AT, **asked):
        changed[row.person_id, row.is_about][row.key] = row.at

    def side(one: int, *, is_about: bool) -> Side:
        row = people[one]
        about = {name: getattr(row, name) for name in ABOUT}
        values = about if is_about else row.attributes
        return Side(values, row.created_at, changed[one, is_about])

    rules = _rules(connection, app_id, shared)
    return (
        Pair(side(into_id, is_about=False), side(from_id, is_about=False), rules),
        Pair(side(into_id, is_about=True), side(from_id, is_about=True), {}),
    )


def _rules(connection: Connection, app_id: int, names: Sequence[str]) -> dict[str, MergeRule]:
    found = rows(
        connection,
        """SELECT name, on_merge FROM attribute
           WHERE app_id = :app_id AND name = ANY(:names) AND on_merge <> 'newest'""",
        app_id=app_id,
        names=list(names),
    )
    return {row.name: MergeRule(row.on_merge) for row in found}


def add(
    connection: Connection, app_id: int, into_id: int, from_id: int, names: Sequence[str]
) -> Merge:
    """Store a merge with the whole row of the person who will be no more."""
    values = {
        "app_id": app_id,
        "public_id": new_public_id("mrg"),
        "into_id": into_id,
        "from_id": from_id,
        "names": sorted(names),
    }
    return Merge(*rows(connection, _ADD, **values)[0])


def combine(
    connection: Connection, app_id: int, merge: Merge, choices: Mapping[str, Sequence[str]]
) -> Mapping[str, Any]:
    """Set what was chosen; return `size` and what changed. `choices`: taken, summed, told."""
    values = {"app_id": app_id, "into_id": merge.into_id, "from_id": merge.from_id}
    found: Mapping[str, Any] = rows(connection, _COMBINE, **values, **choices)[0]._mapping  # noqa: SLF001
    return found


def note(connection: Connection, app_id: int, merge_id: int, changed: str) -> None:
    """Store what a merge changed, as JSON of the columns."""
    connection.execute(_NOTE, {"app_id": app_id, "id": merge_id, "changed": changed})


def remove_person(connection: Connection, app_id: int, person_id: int) -> None:
    """Remove the row of a person whose names lead to somebody else by now."""
    connection.execute(
        text("DELETE FROM person WHERE app_id = :app_id AND id = :id"),
        {"app_id": app_id, "id": person_id},
    )


def rename(connection: Connection, app_id: int, person_id: int, external_id: str) -> None:
    """Call a person by another name."""
    connection.execute(
        text("""
        UPDATE person SET external_id = :external_id, updated_at = now()
        WHERE app_id = :app_id AND id = :id
        """),
        {"app_id": app_id, "id": person_id, "external_id": external_id},
    )


def revert(connection: Connection, app_id: int, merge_id: int) -> None:
    """Take back what a merge set, where nobody has set something else since."""
    connection.execute(_REVERT, {"app_id": app_id, "id": merge_id})


def restore_person(connection: Connection, app_id: int, merge_id: int) -> None:
    """Put the row of the person back that a merge has removed."""
    connection.execute(_RESTORE, {"app_id": app_id, "id": merge_id})


def add_moved(
    connection: Connection, app_id: int, merge_id: int, listed: Mapping[str, Moved]
) -> None:
    """Store what moved, for as long as the merge can be undone."""
    statement = text("""
        INSERT INTO person_merge_move (app_id, merge_id, what, ids, moments, detail)
        VALUES (:app_id, :merge_id, :what, :ids, :moments, CAST(:detail AS jsonb))
    """)
    for what, moved in listed.items():
        values = {"app_id": app_id, "merge_id": merge_id, "what": what, "ids": list(moved.ids)}
        moments = None if moved.moments is None else list(moved.moments)
        values |= {"moments": moments, "detail": _json(moved.detail)}
        connection.execute(statement, values)


def list_moved(connection: Connection, app_id: int, merge_id: int) -> dict[str, Moved]:
    """Return what moved, by kind."""
    found = rows(
        connection,
        """SELECT what, ids, moments, detail FROM person_merge_move
           WHERE app_id = :app_id AND merge_id = :merge_id""",
        app_id=app_id,
        merge_id=merge_id,
    )
    return {row.what: Moved(row.ids, row.moments, row.detail) for row in found}


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
