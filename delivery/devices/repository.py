"""SQL of devices: reading, removing, and raw tokens that become anonymous devices."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from core.database import rows
from core.errors import FieldError, InvalidPayloadError
from delivery.devices import registration_repository
from delivery.devices.device import (
    Device,
    Registration,
    Target,
    TargetPlan,
    guess_target,
    hash_token,
)
from delivery.tables import credential, device, target

_COLUMNS = tuple(device.c[name] for name in Device.__dataclass_fields__)
_TARGET_COLUMNS = tuple(target.c[name] for name in Target.__dataclass_fields__)
# OFFSET 0 makes each look-up go by its index, see registration_repository.
_FIND_ALL = f"""
SELECT {", ".join(column.name for column in _COLUMNS)} FROM device
WHERE app_id = :app_id AND id = ANY(ARRAY(
    SELECT one.id FROM unnest(CAST(:names AS text[])) AS wanted(name), LATERAL (
        SELECT id FROM device WHERE app_id = :app_id AND public_id = wanted.name OFFSET 0) AS one))
ORDER BY id
"""  # noqa: S608  The names of columns are ours.
_FIND_MANY = f"{_FIND_ALL} FOR UPDATE"
_PUBLIC_IDS = """
SELECT d.id, d.public_id FROM unnest(CAST(:ids AS int8[])) AS wanted(id), LATERAL (
    SELECT id, public_id FROM device WHERE app_id = :app_id AND id = wanted.id OFFSET 0) AS d
"""
_TARGETS_OF = f"""
SELECT wanted.id, {", ".join(f"t.{column.name}" for column in _TARGET_COLUMNS)}
FROM unnest(CAST(:ids AS int8[])) AS wanted(id), LATERAL (
    SELECT * FROM target WHERE app_id = :app_id AND device_id = wanted.id ORDER BY id OFFSET 0) AS t
"""  # noqa: S608  The names of columns are ours.
_RAW_PLATFORM = {"apns": "ios", "fcm": "android"}


def find(
    connection: Connection, app_id: int, public_id: str, *, lock: bool = False
) -> Device | None:
    """Return one device."""
    statement = sa.select(*_COLUMNS).where(
        device.c.app_id == app_id, device.c.public_id == public_id
    )
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return Device(*row) if row else None


def find_all(connection: Connection, app_id: int, public_ids: Sequence[str]) -> list[Device]:
    """Return the devices that exist, in the order of their inner ids."""
    return [
        Device(*row) for row in rows(connection, _FIND_ALL, app_id=app_id, names=list(public_ids))
    ]


def find_many(connection: Connection, app_id: int, public_ids: Sequence[str]) -> dict[str, Device]:
    """Return the devices that exist by public id and lock them, in the order of their inner ids."""
    found = rows(connection, _FIND_MANY, app_id=app_id, names=list(public_ids))
    return {row.public_id: Device(*row) for row in found}


def find_public_id(connection: Connection, app_id: int, device_id: int | None) -> str | None:
    """Return the public id of a device that still exists."""
    statement = sa.select(device.c.public_id).where(
        device.c.app_id == app_id, device.c.id == device_id
    )
    return connection.scalar(statement) if device_id is not None else None


def find_public_ids(
    connection: Connection, app_id: int, device_ids: Sequence[int]
) -> dict[int, str]:
    """Return the public ids of the devices that still exist, by their inner ids."""
    found = rows(connection, _PUBLIC_IDS, app_id=app_id, ids=list(device_ids))
    return {row.id: row.public_id for row in found}


def list_targets(connection: Connection, app_id: int, device_id: int) -> list[Target]:
    """Return the targets of one device."""
    statement = (
        sa.select(*_TARGET_COLUMNS)
        .where(target.c.app_id == app_id, target.c.device_id == device_id)
        .order_by(target.c.id)
    )
    return [Target(*row) for row in connection.execute(statement)]


def list_targets_of(
    connection: Connection, app_id: int, device_ids: Sequence[int]
) -> dict[int, list[Target]]:
    """Return the targets of several devices, by the device's inner id."""
    found: dict[int, list[Target]] = {device_id: [] for device_id in device_ids}
    for device_id, *values in rows(connection, _TARGETS_OF, app_id=app_id, ids=list(device_ids)):
        found[device_id].append(Target(*values))
    return found


def list_of_person(
    connection: Connection, app_id: int, person_id: int, *, after: int, limit: int
) -> list[Device]:
    """Return the devices of one person in the order they were made, behind the inner id."""
    statement = (
        sa.select(*_COLUMNS)
        .where(device.c.app_id == app_id, device.c.person_id == person_id, device.c.id > after)
        .order_by(device.c.id)
        .limit(limit)
    )
    return [Device(*row) for row in connection.execute(statement)]


def find_by_token(connection: Connection, app_id: int, token: str) -> Device | None:
    """Return the device that holds a token of any provider; APNs tokens in any case."""
    statement = (
        sa.select(*_COLUMNS)
        .join(
            target, sa.and_(target.c.app_id == device.c.app_id, target.c.device_id == device.c.id)
        )
        .where(
            target.c.app_id == app_id,
            target.c.provider.in_(sorted(_RAW_PLATFORM)),
            target.c.token_hash.in_([hash_token(token), hash_token(token.lower())]),
        )
        .order_by(device.c.id)
        .limit(1)
    )
    row = connection.execute(statement).first()
    return Device(*row) if row else None


def remove(connection: Connection, app_id: int, device_id: int) -> None:
    """Delete one device with its targets."""
    connection.execute(sa.delete(device).where(device.c.app_id == app_id, device.c.id == device_id))


def find_ids_by_public(
    connection: Connection, app_id: int, public_ids: Sequence[str]
) -> dict[str, int]:
    """Return the inner ids of the devices that exist, by public id."""
    statement = sa.select(device.c.public_id, device.c.id).where(
        device.c.app_id == app_id, device.c.public_id == sa.any_(sa.bindparam("names"))
    )
    found = connection.execute(statement, {"names": list(public_ids)})
    return {row.public_id: row.id for row in found}


def register_raw_tokens(connection: Connection, app_id: int, tokens: Sequence[str]) -> list[int]:
    """Return a device id for each token, in order; unknown tokens become anonymous devices.

    Even-length hex of 64 digits and more is an APNs token (of the environment of the app's newest
    APNs credential), 22 characters that fit an FID are one, all else is an FCM token. A known
    token stays as it is. Raises `InvalidPayloadError` with pointers such as `/to/tokens/7`.
    """
    plans = _guess_all(tokens, _newest_environment(connection, app_id))
    names = [hash_token(_raw_installation(plan)) for plan in plans]
    registration_repository.lock_names(
        connection, app_id, [*names, *(plan.token_hash for plan in plans)]
    )
    known = _find_devices_of_tokens(connection, app_id, plans)
    new = {(p.provider, p.token_hash): p for p in plans if (p.provider, p.token_hash) not in known}
    if new:
        made = [
            Registration(_raw_installation(p), {"platform": _RAW_PLATFORM[p.provider]}, p)
            for p in new.values()
        ]
        registration_repository.insert_devices(connection, app_id, made)
        registration_repository.put_targets(connection, app_id, made)
        known |= _find_devices_of_tokens(connection, app_id, list(new.values()))
    return [known[plan.provider, plan.token_hash] for plan in plans]


def _guess_all(tokens: Sequence[str], environment: str) -> list[TargetPlan]:
    plans = [guess_target(token) for token in tokens]
    wrong = tuple(
        FieldError(f"/to/tokens/{index}", "malformed_token", "No gateway gives such a token.")
        for index, plan in enumerate(plans)
        if plan is None
    )
    if wrong:
        raise InvalidPayloadError(f"{len(wrong)} tokens are malformed.", fields=wrong[:100])
    return [
        TargetPlan(plan.provider, plan.kind, plan.token, environment)
        if plan.provider == "apns"
        else plan
        for plan in plans
        if plan
    ]


def _raw_installation(plan: TargetPlan) -> str:
    return f"raw:{plan.provider}:{plan.token_hash.hex()}"


def _newest_environment(connection: Connection, app_id: int) -> str:
    found = connection.scalar(
        sa.select(credential.c.environment)
        .where(
            credential.c.app_id == app_id,
            credential.c.provider == "apns",
            credential.c.state != "retired",
        )
        .order_by(credential.c.id.desc())
        .limit(1)
    )
    return found or "production"


def _find_devices_of_tokens(
    connection: Connection, app_id: int, plans: Sequence[TargetPlan]
) -> dict[tuple[str, bytes], int]:
    statement = sa.select(target.c.provider, target.c.token_hash, target.c.device_id).where(
        target.c.app_id == app_id,
        target.c.provider.in_(sorted({plan.provider for plan in plans})),
        target.c.token_hash == sa.any_(sa.bindparam("hashes")),
    )
    found = connection.execute(statement, {"hashes": [plan.token_hash for plan in plans]})
    return {(row.provider, bytes(row.token_hash)): row.device_id for row in found}
