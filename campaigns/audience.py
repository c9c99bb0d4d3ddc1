"""Who a message is for: from what the caller named to ids, and from ids to SQL."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from core.database import rows
from core.errors import FieldError, InvalidPayloadError
from delivery import fanout
from delivery.dead_letters import repository as dead_letters
from delivery.devices.repository import find_ids_by_public, register_raw_tokens
from delivery.fanout import Reached, Source
from segments.people.repository import find_ids

_NOBODY = "SELECT CAST(NULL AS bigint) AS id WHERE false"
_LISTED = "SELECT DISTINCT id FROM unnest(CAST(:ids AS int8[])) AS listed(id)"


def resolve(connection: Connection, app_id: int, to: Mapping[str, Any]) -> dict[str, Any]:
    """Return the audience to store: ids of ours instead of the caller's names.

    Raw tokens become anonymous devices here. Raises `InvalidPayloadError` naming every unknown
    person or device, and for an audience without anybody.
    """
    if to.get("all"):
        if not _has_anybody(connection, app_id):
            raise _empty("/to/all", "This app has no people and no devices yet.")
        return {"all": True}
    if to.get("people") is not None:
        found = find_ids(connection, app_id, to["people"])
        return {"people": _known(to["people"], found, "people", "unknown_person")}
    if to.get("devices") is not None:
        found = find_ids_by_public(connection, app_id, to["devices"])
        return {"devices": _known(to["devices"], found, "devices", "unknown_device")}
    return {"devices": list(dict.fromkeys(register_raw_tokens(connection, app_id, to["tokens"])))}


def _known(names: Sequence[str], found: Mapping[str, int], field: str, code: str) -> list[int]:
    missing = [
        FieldError(f"/to/{field}/{index}", code, f"The app does not know {name!r}.")
        for index, name in enumerate(names)
        if name not in found
    ]
    if missing:
        raise InvalidPayloadError(
            f"{len(missing)} of {len(names)} {field} are unknown.", fields=tuple(missing[:100])
        )
    return list(dict.fromkeys(found[name] for name in names))


def _empty(pointer: str, words: str) -> InvalidPayloadError:
    return InvalidPayloadError(words, fields=(FieldError(pointer, "empty_audience", words),))


def _has_anybody(connection: Connection, app_id: int) -> bool:
    found = rows(
        connection,
        """
        SELECT EXISTS (SELECT FROM device WHERE app_id = :app_id)
            OR EXISTS (SELECT FROM person WHERE app_id = :app_id) AS anybody
        """,
        app_id=app_id,
    )
    return bool(found[0].anybody)


def source_of(audience: Mapping[str, Any]) -> Source:
    """Return the SQL that lists a stored audience."""
    if audience.get("all"):
        everybody = "SELECT id FROM person WHERE app_id = :app_id"
        anonymous = "SELECT id FROM device WHERE app_id = :app_id AND person_id IS NULL"
        return Source(everybody, anonymous, {})
    if "people" in audience:
        return Source(_LISTED, _NOBODY, {"ids": audience["people"]})
    if "dead_letters" in audience:
        return Source(_NOBODY, *dead_letters.devices_of(audience["dead_letters"]))
    return Source(_NOBODY, _LISTED, {"ids": audience["devices"]})


def count(connection: Connection, app_id: int, to: Mapping[str, Any]) -> Mapping[str | None, int]:
    """Count the recipients of an audience without tokens, by the reason why not to send.

    Those that would be sent to stand under None. Raises as `resolve` does.
    """
    counts = Counter[str | None]()
    for one in reach(connection, app_id, to):
        counts[one.reason] += one.recipients
    return counts


def reach(connection: Connection, app_id: int, to: Mapping[str, Any]) -> Sequence[Reached]:
    """Count the recipients of any audience by reason and credential, and store nothing.

    Raises as `resolve` does.
    """
    with connection.begin_nested() as attempt:
        found = fanout.reach(connection, app_id, source_of(resolve(connection, app_id, to)))
        # Tokens became devices in there, to be counted.
        attempt.rollback()
    return found
