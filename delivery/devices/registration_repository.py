"""SQL of registrations: who waits for whom, and where tokens end up. Works on sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, text

from core.database import rows
from core.ids import new_public_id
from delivery.devices.device import Device, Registration
from delivery.tables import device

_COLUMNS = tuple(device.c[name] for name in Device.__dataclass_fields__)
_LOCK_BUCKETS = 256

# A plan kept from when the tables were small may go through all of an app's rows for each name:
# in transactions that register, each statement is planned for what it finds.
_LOCK = text("""
SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
       pg_advisory_xact_lock(CAST(:app_id % 2147483647 AS integer), bucket)
FROM (SELECT unnest(CAST(:buckets AS integer[])) AS bucket) AS listed
""")

_INSERT_DEVICES = text("""
INSERT INTO device (app_id, public_id, installation_id, person_id, platform, app_version,
                    os_version, model, locale, time_zone, permission, last_seen_at, secret_hash)
SELECT :app_id, item->>'public_id', item->>'installation_id', (item->>'person_id')::bigint,
       item->>'platform', item->>'app_version', item->>'os_version', item->>'model',
       item->>'locale', item->>'time_zone', coalesce(item->>'permission', 'unknown'),
       CASE WHEN item ? 'last_seen_at'
            THEN least((item->>'last_seen_at')::timestamptz, now()) END,
       decode(item->>'secret_hash', 'hex')
FROM jsonb_array_elements(CAST(:items AS jsonb)) AS listed(item)
ON CONFLICT (app_id, installation_id) DO NOTHING
RETURNING installation_id
""")

# OFFSET 0 makes each look-up go by its index: left to itself, the planner reads all devices and
# targets of an app for a few of them while the tables have not been analyzed since they grew.
_IDS = """
    SELECT one.id
    FROM jsonb_array_elements(CAST(:items AS jsonb)) AS wanted(item), LATERAL (
        SELECT id FROM device
        WHERE app_id = :app_id AND installation_id = item->>'installation_id' OFFSET 0) AS one
"""
_FIND = f"""
SELECT {", ".join(column.name for column in _COLUMNS)} FROM device
WHERE app_id = :app_id AND id = ANY(ARRAY(
    SELECT one.id FROM unnest(CAST(:names AS text[])) AS wanted(name), LATERAL (
        SELECT id FROM device
        WHERE app_id = :app_id AND installation_id = wanted.name OFFSET 0) AS one))
ORDER BY id FOR UPDATE
"""  # noqa: S608  The names of columns are ours.
_TEXT_FIELDS = ("app_version", "os_version", "model", "locale", "time_zone")
_SET_TEXTS = ",\n    ".join(
    f"{name} = CASE WHEN item ? '{name}' THEN item->>'{name}' ELSE d.{name} END"
    for name in _TEXT_FIELDS
)
_UPDATE_DEVICES = text(f"""
UPDATE device d
SET {_SET_TEXTS},
    platform = coalesce(item->>'platform', d.platform),
    permission = coalesce(item->>'permission', d.permission),
    person_id = CASE WHEN item ? 'person_id' THEN (item->>'person_id')::bigint
                     ELSE d.person_id END,
    secret_hash = coalesce(decode(item->>'secret_hash', 'hex'), d.secret_hash),
    last_seen_at = CASE WHEN item ? 'last_seen_at'
                        THEN least((item->>'last_seen_at')::timestamptz, now())
                        ELSE d.last_seen_at END,
    updated_at = now()
FROM jsonb_array_elements(CAST(:items AS jsonb)) AS listed(item)
WHERE d.app_id = :app_id AND d.installation_id = item->>'installation_id'
  AND d.id = ANY(ARRAY({_IDS}))
""")  # noqa: S608  The names of columns are ours.

_TARGETS = """
    SELECT d.id AS device_id, item->>'provider' AS provider, item->>'kind' AS kind,
           item->>'token' AS token, decode(item->>'token_hash', 'hex') AS token_hash,
           item->>'environment' AS environment, item->>'topic' AS topic
    FROM jsonb_array_elements(CAST(:items AS jsonb)) AS listed(item), LATERAL (
        SELECT id FROM device
        WHERE app_id = :app_id AND installation_id = item->>'installation_id' OFFSET 0) AS d
"""
_REMOVE_MOVED_TARGETS = text(f"""
DELETE FROM target
WHERE app_id = :app_id AND id = ANY(ARRAY(
    SELECT t.id FROM ({_TARGETS}) AS i, LATERAL (
        SELECT id, device_id, kind FROM target
        WHERE app_id = :app_id AND provider = i.provider AND token_hash = i.token_hash
        OFFSET 0) AS t
    WHERE (t.device_id, t.kind) <> (i.device_id, i.kind)))
""")  # noqa: S608  Both parts are ours.
# A token registered again is alive, whatever was heard about it before.
_PUT_TARGETS = text(f"""
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, environment, topic)
SELECT :app_id, device_id, provider, kind, token, token_hash, environment, topic
FROM ({_TARGETS}) AS i
ON CONFLICT (app_id, device_id, provider, kind) DO UPDATE
SET token = excluded.token, token_hash = excluded.token_hash,
    environment = excluded.environment, topic = excluded.topic,
    state = 'active', state_reason = NULL, registered_at = now(), updated_at = now()
""")  # noqa: S608  Both parts are ours.


def lock_names(connection: Connection, app_id: int, hashes: Sequence[bytes]) -> None:
    """Make registrations of the same installations or tokens wait for each other.

    Names share a few locks, taken in one order: nobody waits in a circle, and a batch of
    thousands does not fill the server's table of locks.
    """
    buckets = sorted({name[0] % _LOCK_BUCKETS for name in hashes})
    connection.execute(_LOCK, {"app_id": app_id, "buckets": buckets}).all()


def find_installations(
    connection: Connection, app_id: int, installation_ids: Sequence[str]
) -> dict[str, Device]:
    """Return the devices of these installations and lock them, in the order of their ids."""
    found = rows(connection, _FIND, app_id=app_id, names=list(installation_ids))
    return {row.installation_id: Device(*row) for row in found}


def insert_devices(
    connection: Connection, app_id: int, registrations: Sequence[Registration]
) -> set[str]:
    """Store new installations; return the ids of those that were not there."""
    items = [{**_device_item(one), "public_id": new_public_id("dev")} for one in registrations]
    values = {"app_id": app_id, "items": _json(items)}
    return set(connection.execute(_INSERT_DEVICES, values).scalars())


def update_devices(
    connection: Connection, app_id: int, registrations: Sequence[Registration]
) -> None:
    """Set the given fields of known installations."""
    items = [_device_item(one) for one in registrations]
    connection.execute(_UPDATE_DEVICES, {"app_id": app_id, "items": _json(items)})


def put_targets(connection: Connection, app_id: int, registrations: Sequence[Registration]) -> None:
    """Give devices their targets: a new token replaces the old one, a known one moves here.

    A token, and a (device, provider, kind), may come up only once.
    """
    items = [
        {
            "installation_id": one.installation_id,
            "provider": one.target.provider,
            "kind": one.target.kind,
            "token": one.target.token,
            "token_hash": one.target.token_hash.hex(),
            "environment": one.target.environment,
            "topic": one.target.topic,
        }
        for one in registrations
        if one.target
    ]
    if items:
        values = {"app_id": app_id, "items": _json(items)}
        connection.execute(_REMOVE_MOVED_TARGETS, values)
        connection.execute(_PUT_TARGETS, values)


def _device_item(one: Registration) -> dict[str, Any]:
    secret_hash = one.secret_hash.hex() if one.secret_hash else None
    return {
        **one.fields,
        "installation_id": one.installation_id,
        "secret_hash": secret_hash,
    }


def _json(items: Sequence[Mapping[str, Any]]) -> str:
    return orjson.dumps(items).decode()
