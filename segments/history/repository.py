"""SQL of how one person has changed, and of what is kept of that for how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.database import rows


@dataclass(frozen=True, slots=True)
class Change:
    """One change. What is absent in `before` was not there, what is absent in `after` went."""

    id: int
    at: datetime
    cause: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    about_before: Mapping[str, str | None]
    about_after: Mapping[str, str | None]


_LIST = """
SELECT id, at, cause, before, after, about_before, about_after FROM person_change
WHERE app_id = :app_id AND person_id = :person_id
  AND id < coalesce(CAST(:before AS bigint), 9223372036854775807)
ORDER BY id DESC LIMIT :limit
"""


def list_of_person(
    connection: Connection, app_id: int, person_id: int, *, before: int | None, limit: int
) -> list[Change]:
    """Return the changes of a person, newest first, before the one with the inner id `before`."""
    values = {"app_id": app_id, "person_id": person_id, "before": before, "limit": limit}
    return [Change(*row) for row in rows(connection, _LIST, **values)]
