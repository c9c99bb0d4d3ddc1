"""SQL of dead letters: counting them by reason, and the devices that a replay goes to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection

from core.database import rows
from delivery.dead_letters.dead_letter import (
    DEAD_STATE_NAMES,
    DeadLetterFilter,
    DeadLetterGroup,
)
from delivery.messages.message import Message

# The states stand in the text, so that the index of dead letters alone is read. A recipient ends at
# most a day after the day it is kept under, or when an installation that stood still goes on: a
# month is allowed for that, which spares the other months.
_STATES = ", ".join(f"'{name}'" for name in DEAD_STATE_NAMES)
_DEAD = f"""l.app_id = :app_id AND l.state IN ({_STATES})
    AND (CAST(:dead_message_id AS bigint) IS NULL OR l.message_id = :dead_message_id)
    AND (CAST(:dead_state AS text) IS NULL OR l.state = :dead_state)
    AND (CAST(:dead_reason AS text) IS NULL OR l.reason = :dead_reason)
    AND (CAST(:dead_since AS timestamptz) IS NULL
         OR (l.at >= :dead_since AND l.day >= CAST(CAST(:dead_since AS timestamptz) AS date) - 31))
    AND (CAST(:dead_until AS timestamptz) IS NULL
         OR (l.at < :dead_until AND l.day <= CAST(CAST(:dead_until AS timestamptz) AS date)))
    AND (CAST(:dead_provider AS text) IS NULL OR EXISTS (
        SELECT FROM target t WHERE t.app_id = :app_id AND t.device_id = l.device_id
          AND t.provider = :dead_provider))"""
# What a phone reports to have is no dead letter, whatever the gateway said.
_UNREPORTED = """NOT EXISTS (
        SELECT FROM receipt r WHERE r.app_id = :app_id AND r.message_id = l.message_id
          AND r.device_id = l.device_id AND r.day = l.day)"""
_GROUPS = f"""
SELECT l.state, l.reason, count(*) AS recipients, count(DISTINCT l.message_id) AS messages,
       min(l.at) AS first_at, max(l.at) AS last_at
FROM ledger l WHERE {_DEAD} AND {_UNREPORTED}
GROUP BY l.state, l.reason ORDER BY recipients DESC, l.state, l.reason
"""  # noqa: S608  All parts are ours.
# To whom a replay sent it is found among the dead letters of that replay, if it failed again; whom
# it suppressed, cancelled perhaps, was not sent to. They are joined: behind an anti join PostgreSQL
# expects nobody to be left, and the cut then looks every device up by itself. A device that has
# changed hands must not show what was meant for somebody else.
_DEVICES = f"""
SELECT l.device_id AS id FROM ledger l
JOIN device d ON d.app_id = :app_id AND d.id = l.device_id
LEFT JOIN person_successor f ON f.app_id = :app_id AND f.person_id = l.person_id
LEFT JOIN (
    SELECT again.device_id, true AS was_sent FROM message r
    JOIN ledger again ON again.app_id = r.app_id AND again.message_id = r.id AND again.day = r.day
    WHERE r.app_id = :app_id AND r.replay_of = :dead_public_id AND again.device_id IS NOT NULL
      AND again.state <> 'suppressed') s ON s.device_id = l.device_id
LEFT JOIN (
    SELECT DISTINCT r.device_id, true AS has_it FROM receipt r
    WHERE r.app_id = :app_id AND r.message_id = :dead_message_id AND r.day = :dead_day
    ) h ON h.device_id = l.device_id
WHERE {_DEAD} AND l.day = :dead_day
  AND (l.person_id IS NULL OR l.person_id = d.person_id OR f.into_id = d.person_id)
  AND s.was_sent IS NOT TRUE AND h.has_it IS NOT TRUE
"""  # noqa: S608  All parts are ours.
_COUNT = f"""
SELECT count(*) AS dead_letters
FROM (SELECT FROM ledger l WHERE {_DEAD} AND {_UNREPORTED} AND l.day = :dead_day LIMIT :limit) f
"""  # noqa: S608  All parts are ours.


def count_groups(
    connection: Connection, app_id: int, wanted: DeadLetterFilter
) -> Sequence[DeadLetterGroup]:
    """Return the dead letters by state and reason, the most first."""
    found = rows(connection, _GROUPS, app_id=app_id, **_named(asdict(wanted)))
    names = DeadLetterGroup.__dataclass_fields__
    return [DeadLetterGroup(**{name: getattr(row, name) for name in names}) for row in found]


def audience_of(message: Message, wanted: DeadLetterFilter) -> dict[str, Any]:
    """Return the dead letters of a message as an audience to store, in JSON."""
    narrowed = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(wanted).items()
        if value is not None
    }
    place = {"message_id": message.id, "public_id": message.public_id, "day": str(message.day)}
    return {**narrowed, **place}


def devices_of(audience: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the SQL that lists the devices of a stored audience, and its values."""
    values = {**asdict(DeadLetterFilter()), **audience, "day": date.fromisoformat(audience["day"])}
    for name in ("since", "until"):
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name]).astimezone(UTC)
    return _DEVICES, _named(values)


def _named(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep the names apart from those of the statement around."""
    return {f"dead_{name}": value for name, value in values.items()}


def count(connection: Connection, app_id: int, audience: Mapping[str, Any], limit: int) -> int:
    """Count the dead letters of a stored audience, replayed or not, up to `limit`."""
    _, values = devices_of(audience)
    found = rows(connection, _COUNT, app_id=app_id, limit=limit, **values)
    return int(found[0].dead_letters)


def has_devices(connection: Connection, app_id: int, audience: Mapping[str, Any]) -> bool:
    """Tell whether a stored audience has any device now."""
    sql, values = devices_of(audience)
    found = rows(connection, f"SELECT EXISTS ({sql}) AS has_devices", app_id=app_id, **values)
    return bool(found[0].has_devices)


def has_open_replay(connection: Connection, message: Message) -> bool:
    """Tell whether a replay of the message has recipients that have not ended."""
    found = rows(
        connection,
        "SELECT EXISTS (SELECT FROM message WHERE app_id = :app_id AND replay_of = :public_id "
        "AND finished_at IS NULL) AS is_open",
        app_id=message.app_id,
        public_id=message.public_id,
    )
    return bool(found[0].is_open)
