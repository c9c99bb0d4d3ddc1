"""SQL of people; every statement works on sets."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection, text

from delivery.chunks.arrays import numbers
from delivery.successors.repository import present_ids
from segments.identity.tables import person_name
from segments.people.person import ATTRIBUTES_LIMIT_BYTES, Person, PersonChange
from segments.tables import person

_COLUMNS = tuple(person.c[name] for name in Person.__dataclass_fields__)

_ITEMS = """
    SELECT item->>'external_id' AS external_id, item->'fields' AS fields,
           item->'attributes' AS attributes,
           ARRAY(SELECT jsonb_array_elements_text(item->'removed')) AS removed
    FROM jsonb_array_elements(CAST(:items AS jsonb)) AS listed(item)
"""

# Rows are taken in the order of their names, so that two batches never wait for each other.
_INSERT = text(f"""
INSERT INTO person (app_id, external_id, attributes, locale, time_zone, country)
SELECT :app_id, external_id, attributes, fields->>'locale', fields->>'time_zone',
       fields->>'country'
FROM ({_ITEMS}) AS i
WHERE octet_length(attributes::text) <= :limit
ORDER BY external_id COLLATE "C"
ON CONFLICT (app_id, external_id) DO NOTHING
RETURNING external_id
""")  # noqa: S608  Both parts are ours.

_LOCK = text("""
SELECT external_id FROM person WHERE app_id = :app_id AND external_id = ANY(:external_ids)
ORDER BY external_id COLLATE "C" FOR NO KEY UPDATE
""")

_UPDATE = text(f"""
UPDATE person p
SET attributes = (p.attributes || i.attributes) - i.removed,
    locale = CASE WHEN i.fields ? 'locale' THEN i.fields->>'locale' ELSE p.locale END,
    time_zone = CASE WHEN i.fields ? 'time_zone' THEN i.fields->>'time_zone'
                     ELSE p.time_zone END,
    country = CASE WHEN i.fields ? 'country' THEN i.fields->>'country' ELSE p.country END,
    updated_at = now()
FROM ({_ITEMS}) AS i
WHERE p.app_id = :app_id AND p.external_id = i.external_id
  AND p.external_id = ANY(:external_ids)
  AND octet_length(((p.attributes || i.attributes) - i.removed)::text) <= :limit
RETURNING p.external_id
""")  # noqa: S608  Both parts are ours.


def insert_new(connection: Connection, app_id: int, changes: Sequence[PersonChange]) -> set[str]:
    """Store those who are new; return their external ids."""
    values = {"app_id": app_id, "items": _items(changes), "limit": ATTRIBUTES_LIMIT_BYTES}
    return set(connection.execute(_INSERT, values).scalars())


def lock(connection: Connection, app_id: int, external_ids: Sequence[str]) -> set[str]:
    """Lock those who exist, in the order of their names; return their names."""
    values = {"app_id": app_id, "external_ids": list(external_ids)}
    return set(connection.execute(_LOCK, values).scalars())


def update_known(connection: Connection, app_id: int, changes: Sequence[PersonChange]) -> set[str]:
    """Merge changes into people who exist; return the external ids of those changed.

    Who is left out does not exist, or would pass the limit of attributes.
    """
    external_ids = [change.external_id for change in changes]
    lock(connection, app_id, external_ids)
    values = {
        "app_id": app_id,
        "items": _items(changes),
        "external_ids": external_ids,
        "limit": ATTRIBUTES_LIMIT_BYTES,
    }
    return set(connection.execute(_UPDATE, values).scalars())


def _items(changes: Sequence[PersonChange]) -> str:
    items = [
        {
            "external_id": change.external_id,
            "fields": dict(change.fields),
            "attributes": {
                key: value for key, value in change.attributes.items() if value is not None
            },
            "removed": [key for key, value in change.attributes.items() if value is None],
        }
        for change in changes
    ]
    try:
        return orjson.dumps(items).decode()
    except TypeError:
        # Whole numbers beyond 64 bits, which jsonb takes.
        return json.dumps(items)


def names_of(
    connection: Connection, app_id: int, ids: Iterable[int | None]
) -> dict[int | None, str]:
    """Return what people are called today, by ids as messages keep them: of merged people, too."""
    known = sorted({one for one in ids if one is not None})
    present = present_ids(connection, app_id, known)
    wanted = {one: present.get(one, one) for one in known}
    people = find_by_ids(connection, app_id, sorted(set(wanted.values())))
    names = {one.id: one.external_id for one in people}
    return {one: names[stands] for one, stands in wanted.items() if stands in names}


def find_by_ids(connection: Connection, app_id: int, ids: Sequence[int]) -> list[Person]:
    """Return the people with these inner ids, in no order."""
    wanted = sa.func.unnest(sa.cast(sa.bindparam("ids"), sa.ARRAY(sa.BigInteger)))
    one = wanted.table_valued("id").render_derived()
    # OFFSET 0 makes each look-up go by the id. Just after an import the planner knows nothing of
    # the table yet; left to itself it reads all people of the app for every window.
    found = (
        sa.select(*_COLUMNS)
        .where(person.c.app_id == app_id, person.c.id == one.c.id)
        .offset(0)
        .lateral()
    )
    statement = sa.select(*found.c).select_from(one.join(found, sa.true()))
    return [Person(*row) for row in connection.execute(statement, {"ids": list(ids)})]


def read_facts(
    connection: psycopg.Connection[Any],
    app_id: int,
    ids: Sequence[int],
    names: Sequence[str],
    *,
    whole: bool,
) -> list[tuple[Any, ...]]:
    """Return what templates need of the people with these inner ids, in no order.

    Each row holds: id, all attributes as JSON text (None unless `whole`), external id, locale,
    time zone, country, then the JSON text of each attribute of `names`, None where it is missing.
    Nothing is parsed here: most values are the same text again and again.
    """
    values: dict[str, Any] = {"app_id": app_id, "ids": numbers(ids), "whole": whole}
    if len(names) > _MOST_COLUMNS or not names:
        found = connection.execute(_facts_statement(0), {**values, "names": list(names)})
        return [(*row[:-1], *row[-1]) for row in found]
    values |= {f"name_{at}": name for at, name in enumerate(names)}
    return connection.execute(_facts_statement(len(names)), values).fetchall()


_MOST_COLUMNS = 16
_FACTS_IN_ROWS = (
    "ARRAY(SELECT (attributes -> name)::text FROM unnest(CAST(%(names)s AS text[]))"
    " WITH ORDINALITY AS listed(name, place) ORDER BY place)"
)


@lru_cache(maxsize=_MOST_COLUMNS + 1)
def _facts_statement(count: int) -> str:
    """Return the statement for `count` attributes; for 0 they come as one array."""
    columns = [f"(attributes -> CAST(%(name_{at})s AS text))::text" for at in range(count)]
    # OFFSET 0: see `find_by_ids`.
    return f"""
        SELECT one.* FROM unnest(CAST(%(ids)s AS int8[])) AS wanted(id), LATERAL (
            SELECT p.id, CASE WHEN CAST(%(whole)s AS boolean) THEN attributes::text END,
                   external_id, locale, time_zone, country, {", ".join(columns or [_FACTS_IN_ROWS])}
            FROM person p WHERE p.app_id = %(app_id)s AND p.id = wanted.id OFFSET 0) one
    """  # noqa: S608  All parts are ours.


def find(
    connection: Connection, app_id: int, external_id: str, *, lock: bool = False
) -> Person | None:
    """Return one person, by any name."""
    named = (
        sa.select(person_name.c.person_id)
        .where(person_name.c.app_id == app_id, person_name.c.external_id == external_id)
        .scalar_subquery()
    )
    statement = sa.select(*_COLUMNS).where(person.c.app_id == app_id, person.c.id == named)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return Person(*row) if row else None


def list_after(connection: Connection, app_id: int, after: int, limit: int) -> list[Person]:
    """Return people in the order they were made, beginning behind the inner id `after`."""
    statement = (
        sa.select(*_COLUMNS)
        .where(person.c.app_id == app_id, person.c.id > after)
        .order_by(person.c.id)
        .limit(limit)
    )
    return [Person(*row) for row in connection.execute(statement)]
