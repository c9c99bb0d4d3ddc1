"""Writing and reading people."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from sqlalchemy import Connection

from core.errors import NotFoundError
from segments.consents import repository as consents
from segments.identity.locking import OthersMovedError, settled
from segments.identity.names import find_ids, hold_own_names
from segments.people import repository
from segments.people.person import Person, PersonChange
from segments.people.telling import tell_changed


class Written(StrEnum):
    """What became of one change."""

    CREATED = "created"
    UPDATED = "updated"
    TOO_LARGE = "too_large"


def write(
    connection: Connection, app_id: int, changes: Sequence[PersonChange], source: str = "api"
) -> Mapping[str, Written]:
    """Create or merge people, each once; return what became of each name.

    `source` says where consents come from.

    Several changes to one person, by whatever names, are applied in their order, as one. Nothing
    is written about a person whose attributes would pass the limit. Raises `TooMuchMovedError`.
    """
    return settled(connection, lambda: _write_named(connection, app_id, changes, source))


def _write_named(
    connection: Connection, app_id: int, changes: Sequence[PersonChange], source: str
) -> Mapping[str, Written]:
    own = hold_own_names(connection, app_id, list({change.external_id for change in changes}))
    merged: dict[str, PersonChange] = {}
    for change in changes:
        name = own.get(change.external_id, change.external_id)
        renamed = replace(change, external_id=name)
        merged[name] = merged[name].then(renamed) if name in merged else renamed
    fates = _write(connection, app_id, merged, source)
    return {
        change.external_id: fates[own.get(change.external_id, change.external_id)]
        for change in changes
    }


def _write(
    connection: Connection, app_id: int, merged: Mapping[str, PersonChange], source: str
) -> Mapping[str, Written]:
    # All who are known are locked before anybody new is named: nobody waits in a circle.
    known = repository.lock(connection, app_id, list(merged))
    fresh = [change for name, change in merged.items() if name not in known]
    created = repository.insert_new(connection, app_id, fresh) if fresh else set()
    left = [change.external_id for change in fresh if change.external_id not in created]
    if left and find_ids(connection, app_id, left):
        # Somebody else made them just now. Who holds new ones must not wait for old ones.
        raise OthersMovedError
    old = [change for name, change in merged.items() if name in known]
    updated = repository.update_known(connection, app_id, old) if old else set()
    _set_consents(
        connection,
        app_id,
        [merged[name] for name in (*created, *updated) if merged[name].consents],
        source,
    )
    tell_changed(connection, app_id, created, updated)
    return {
        name: Written.CREATED
        if name in created
        else (Written.UPDATED if name in updated else Written.TOO_LARGE)
        for name in merged
    }


def _set_consents(
    connection: Connection, app_id: int, changes: Sequence[PersonChange], source: str
) -> None:
    if changes:
        ids = find_ids(connection, app_id, [one.external_id for one in changes])
        wishes = {ids[one.external_id]: one.consents for one in changes}
        consents.set_many(connection, app_id, wishes, source)


def get(connection: Connection, app_id: int, external_id: str) -> Person:
    """Return one person by any name; raise `NotFoundError`."""
    person = repository.find(connection, app_id, external_id)
    if person is None:
        raise NotFoundError
    return person
