"""Writing and reading people."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from sqlalchemy import Connection

from core.errors import NotFoundError
from segments.people import repository
from segments.people.person import Person, PersonChange


class Written(StrEnum):
    """What became of one change."""

    CREATED = "created"
    UPDATED = "updated"
    TOO_LARGE = "too_large"


def write(
    connection: Connection, app_id: int, changes: Sequence[PersonChange]
) -> Mapping[str, Written]:
    """Create or merge people, each once; return what became of each external id.

    Several changes to one person are applied in their order, as one. Nothing is written about a
    person whose attributes would pass the limit.
    """
    merged: dict[str, PersonChange] = {}
    for change in changes:
        before = merged.get(change.external_id)
        merged[change.external_id] = before.then(change) if before else change
    created = repository.insert_new(connection, app_id, list(merged.values()))
    others = [change for name, change in merged.items() if name not in created]
    updated = repository.update_known(connection, app_id, others) if others else set()
    return {
        name: Written.CREATED
        if name in created
        else (Written.UPDATED if name in updated else Written.TOO_LARGE)
        for name in merged
    }


def get(connection: Connection, app_id: int, external_id: str) -> Person:
    """Return one person; raise `NotFoundError`."""
    person = repository.find(connection, app_id, external_id)
    if person is None:
        raise NotFoundError
    return person
