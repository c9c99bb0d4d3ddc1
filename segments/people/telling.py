"""What others are told about people, if anybody wants to know."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection

from delivery.outbox import repository as outbox
from delivery.outbox.entry import Kind

_TELL_NEW = """
INSERT INTO outbox (app_id, subscription_id, kind, facts)
SELECT s.app_id, s.id, 'person.changed', jsonb_build_object('people', (
    SELECT jsonb_agg(jsonb_build_object('external_id', name, 'is_new', true))
    FROM unnest(CAST(%(names)s AS text[])) AS name))
FROM outbox_subscription s
WHERE s.app_id = %(app_id)s AND 'person.changed' = ANY(s.kinds)
"""


def tell_new(connection: "psycopg.Connection[Any]", app_id: int, names: Sequence[str]) -> None:
    """Tell of up to 1,000 people who are new, from the hot path: one statement in any case."""
    connection.execute(_TELL_NEW, {"app_id": app_id, "names": list(names)})


def tell_changed(
    connection: Connection, app_id: int, created: Iterable[str], updated: Iterable[str] = ()
) -> None:
    """Tell of people who are new or have changed, by their external ids."""
    if outbox.listens(connection, app_id, Kind.PERSON_CHANGED):
        facts = [{"external_id": name, "is_new": True} for name in created]
        facts += [{"external_id": name, "is_new": False} for name in updated]
        outbox.put(connection, app_id, Kind.PERSON_CHANGED, "people", facts)
