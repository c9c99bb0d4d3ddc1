"""Who a message is for: from what the caller named to ids, and from ids to SQL."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import rows
from core.errors import FieldError, InvalidPayloadError
from delivery import fanout
from delivery.dead_letters import repository as dead_letters
from delivery.devices.repository import find_ids_by_public, register_raw_tokens
from delivery.fanout import Reached, Source
from segments.definitions.service import as_rule, hold
from segments.identity.names import find_ids
from segments.rules.moments import Clock
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from segments.rules.sql.statements import as_text
from segments.suppressions.repository import SUPPRESSED, SUPPRESSED_FEW

_NOBODY = "SELECT CAST(NULL AS bigint) AS id WHERE false"
_LISTED = "SELECT DISTINCT id FROM unnest(CAST(:ids AS int8[])) AS listed(id)"
# Between the request and the cut people may have become one.
_LISTED_PEOPLE = """SELECT DISTINCT coalesce(s.into_id, listed.id) AS id
    FROM unnest(CAST(:{ids} AS int8[])) AS listed(id)
    LEFT JOIN person_successor s ON s.app_id = :app_id AND s.person_id = listed.id"""


# Who keeps out of every message, whatever it says: see docs/states.md.
_BARS = """
    LEFT JOIN consent c ON c.app_id = :app_id AND c.person_id = a.person_id AND c.kind = 'push'
    LEFT JOIN ({suppressed}) x ON x.person_id = a.person_id
"""
_REFUSES = """a.person_id IS NOT NULL
    AND NOT coalesce(c.granted, (SELECT push_by_default FROM app WHERE id = :app_id))"""


def resolve(connection: Connection, app_id: int, to: Mapping[str, Any]) -> dict[str, Any]:
    """Return the audience to store: ids of ours instead of the caller's names.

    Raw tokens become anonymous devices here. Raises `InvalidPayloadError` naming every unknown
    person, device or segment, and for an audience without anybody. What `exclude` names stays out.
    """
    faults: list[InvalidPayloadError] = []
    audience: dict[str, Any] = {}
    try:
        audience |= _resolve(connection, app_id, to)
    except InvalidPayloadError as error:
        faults.append(error)
    try:
        if to.get("exclude") is not None:
            audience["exclude"] = _resolve_excluded(connection, app_id, to["exclude"])
    except InvalidPayloadError as error:
        faults.append(error)
    if len(faults) > 1:
        # Whoever mends one would only then be told of the other.
        fields = tuple(field for error in faults for field in error.fields)
        raise InvalidPayloadError(" ".join(map(str, faults)), fields=fields)
    for fault in faults:
        raise fault
    return audience


def waits_for_scheduler(audience: Mapping[str, Any]) -> bool:
    """Tell whether an audience may be so large that to cut it takes seconds."""
    return "all" in audience or "segment" in {*audience, *audience.get("exclude", ())}


def _resolve(connection: Connection, app_id: int, to: Mapping[str, Any]) -> dict[str, Any]:
    if to.get("all"):
        if not _has_anybody(connection, app_id):
            raise _empty("/to/all", "This app has no people and no devices yet.")
        return {"all": True}
    if to.get("segment") is not None:
        hold(connection, app_id, to["segment"], "/to")
        return {"segment": to["segment"]}
    if to.get("people") is not None:
        found = find_ids(connection, app_id, to["people"])
        return {"people": _known(to["people"], found, "/to/people", "unknown_person")}
    if to.get("devices") is not None:
        found = find_ids_by_public(connection, app_id, to["devices"])
        return {"devices": _known(to["devices"], found, "/to/devices", "unknown_device")}
    return {"devices": list(dict.fromkeys(register_raw_tokens(connection, app_id, to["tokens"])))}


def _resolve_excluded(
    connection: Connection, app_id: int, exclude: Mapping[str, Any]
) -> dict[str, Any]:
    left_out: dict[str, Any] = {}
    if exclude.get("segment") is not None:
        hold(connection, app_id, exclude["segment"], "/exclude")
        left_out["segment"] = exclude["segment"]
    if exclude.get("people") is not None:
        names = exclude["people"]
        found = find_ids(connection, app_id, names)
        left_out["people"] = _known(names, found, "/exclude/people", "unknown_person")
    return left_out


def _known(names: Sequence[str], found: Mapping[str, int], pointer: str, code: str) -> list[int]:
    missing = [
        FieldError(f"{pointer}/{index}", code, f"The app does not know {name!r}.")
        for index, name in enumerate(names)
        if name not in found
    ]
    if missing:
        raise InvalidPayloadError(
            f"{len(missing)} of {len(names)} {pointer.rpartition('/')[2]} are unknown.",
            fields=tuple(missing[:100]),
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


def source_of(connection: Connection, app_id: int, audience: Mapping[str, Any]) -> Source:
    """Return the SQL that lists a stored audience, with segments as they are at this moment.

    Raises `InvalidPayloadError` when a segment is no more.
    """
    source = _source(connection, app_id, audience)
    exclude = audience.get("exclude")
    source = _without(connection, app_id, source, exclude) if exclude else source
    suppressed = SUPPRESSED if source.is_wide else SUPPRESSED_FEW
    return replace(
        source,
        bars=_BARS.format(suppressed=suppressed),
        refuses=_REFUSES,
        is_suppressed="x.person_id IS NOT NULL",
    )


def _source(connection: Connection, app_id: int, audience: Mapping[str, Any]) -> Source:
    if audience.get("all"):
        everybody = "SELECT id FROM person WHERE app_id = :app_id"
        anonymous = "SELECT id FROM device WHERE app_id = :app_id AND person_id IS NULL"
        return Source(everybody, anonymous, {}, is_wide=True)
    if "segment" in audience:
        people, values = _members(connection, app_id, audience["segment"], "/to")
        return Source(people, _NOBODY, values, is_wide=True)
    if "people" in audience:
        return Source(_LISTED_PEOPLE.format(ids="ids"), _NOBODY, {"ids": audience["people"]})
    if "dead_letters" in audience:
        return Source(_NOBODY, *dead_letters.devices_of(audience["dead_letters"]))
    return Source(_NOBODY, _LISTED, {"ids": audience["devices"]})


def _members(
    connection: Connection, app_id: int, segment: str, pointer: str
) -> tuple[str, dict[str, Any]]:
    rule = as_rule(connection, app_id, segment, pointer)
    scope = Scope(app_id, Clock(utc_now()))
    return as_text(select_people(rule, scope), f"{pointer[1:]}_")


def _without(
    connection: Connection, app_id: int, source: Source, exclude: Mapping[str, Any]
) -> Source:
    """Return a source without some people, and without their devices."""
    parts: list[str] = []
    values = dict(source.values)
    if "segment" in exclude:
        members, bound = _members(connection, app_id, exclude["segment"], "/exclude")
        parts.append(members)
        values |= bound
    if "people" in exclude:
        parts.append(_LISTED_PEOPLE.format(ids="exclude_ids"))
        values["exclude_ids"] = exclude["people"]
    left_out = " UNION ALL ".join(f"(SELECT id FROM ({part}) part)" for part in parts)  # noqa: S608
    people = f"SELECT id FROM ({source.people}) meant EXCEPT ({left_out})"  # noqa: S608
    devices = f"""
        SELECT chosen.id FROM ({source.devices}) chosen WHERE chosen.id NOT IN (
            SELECT d.id FROM device d JOIN ({left_out}) l ON l.id = d.person_id
            WHERE d.app_id = :app_id)
    """  # noqa: S608
    is_wide = source.is_wide or "segment" in exclude
    return replace(source, people=people, devices=devices, values=values, is_wide=is_wide)


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
        found = fanout.reach(connection, app_id, _resolved(connection, app_id, to))
        # Tokens became devices in there, to be counted.
        attempt.rollback()
    return found


def _resolved(connection: Connection, app_id: int, to: Mapping[str, Any]) -> Source:
    return source_of(connection, app_id, resolve(connection, app_id, to))
