"""What a person did, event by event, and which names of events an app has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.database import rows

# Ties of the same moment go by the id, so that no page leaves one out.
_OF_PERSON = """
SELECT id, uuid::text AS uuid, name, properties, at, received_at FROM event
WHERE app_id = :app_id AND person_id = :person_id AND (:name = '' OR name = :name)
  AND (at, id) < (:before_at, :before_id)
ORDER BY at DESC, id DESC LIMIT :limit
"""
_NAMES = """
SELECT name, created_at FROM event_name
WHERE app_id = :app_id AND name > :after ORDER BY name LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is stored; `at` is when it happened, `received_at` when it came."""

    id: int
    uuid: str
    name: str
    properties: dict[str, Any]
    at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class EventName:
    """A name that events of an app have, and when the first of them came."""

    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventsPage:
    """Up to `limit` events before (moment, id); with a `name`, only those of that name."""

    before: tuple[datetime, int]
    limit: int
    name: str = ""


def list_of_person(
    connection: Connection, app_id: int, person_id: int, page: EventsPage
) -> Sequence[StoredEvent]:
    """Return a page of what a person did, newest first."""
    found = rows(
        connection,
        _OF_PERSON,
        app_id=app_id,
        person_id=person_id,
        name=page.name,
        before_at=page.before[0],
        before_id=page.before[1],
        limit=page.limit,
    )
    return [StoredEvent(*one) for one in found]


def list_names(
    connection: Connection, app_id: int, *, after: str, limit: int
) -> Sequence[EventName]:
    """Return up to `limit` names of events behind `after`, in their order."""
    found = rows(connection, _NAMES, app_id=app_id, after=after, limit=limit)
    return [EventName(*one) for one in found]
