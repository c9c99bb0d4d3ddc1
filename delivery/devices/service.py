"""Registering, changing and removing devices, and who may do it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from core.errors import NotFoundError
from core.secrets import hash_secret, new_secret, same_secret
from delivery.devices import registration_repository, repository
from delivery.devices.device import Device, Registration, hash_token
from delivery.devices.errors import DeviceSecretInvalidError, DeviceSecretMissingError

_Place = tuple[str, str, str]  # installation, provider, kind


@dataclass(frozen=True, slots=True)
class Claim:
    """What the caller shows for a device: the trust of a server's key, or the device's secret."""

    is_server: bool
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Registered:
    """A device after its registration; a new one has its secret here, this once."""

    device: Device
    secret: str | None = field(repr=False)


def register(
    connection: Connection, app_id: int, registration: Registration, claim: Claim
) -> Registered:
    """Register one installation, or update it when `claim` allows that.

    An installation that a server imported has no secret yet. The first phone to claim it gets
    one, and the device is nobody's again unless the registration says whose it is.
    """
    _lock(connection, app_id, [registration])
    name = registration.installation_id
    known = registration_repository.find_installations(connection, app_id, [name]).get(name)
    secret = None
    if known is not None and (known.secret_hash is not None or claim.is_server):
        check_claim(known, claim)
    else:
        secret = new_secret("ds")
        registration = replace(registration, secret_hash=hash_secret(secret))
    if known is not None and secret is not None:
        registration = replace(registration, fields={"person_id": None, **registration.fields})
    _write(connection, app_id, [registration], known={name} if known else set())
    device = registration_repository.find_installations(connection, app_id, [name])[name]
    return Registered(device, secret)


def register_many(
    connection: Connection, app_id: int, registrations: Sequence[Registration]
) -> tuple[dict[str, Device], set[str]]:
    """Register installations for a server; return them by installation id, and which are new.

    Later entries about the same installation or token win. New devices have no secret yet.
    """
    _lock(connection, app_id, registrations)
    names = list(dict.fromkeys(one.installation_id for one in registrations))
    known = set(registration_repository.find_installations(connection, app_id, names))
    _write(connection, app_id, registrations, known=known)
    devices = registration_repository.find_installations(connection, app_id, names)
    return devices, set(names) - known


def change(
    connection: Connection, app_id: int, device: Device, registration: Registration
) -> Device:
    """Set what `registration` gives on a device that `find_claimed` has returned."""
    _lock(connection, app_id, [registration])
    _write(connection, app_id, [registration], known={device.installation_id})
    return find(connection, app_id, device.public_id)


def find(connection: Connection, app_id: int, public_id: str) -> Device:
    """Return one device; raise `NotFoundError`."""
    device = repository.find(connection, app_id, public_id)
    if device is None:
        raise NotFoundError
    return device


def find_claimed(connection: Connection, app_id: int, public_id: str, claim: Claim) -> Device:
    """Return one device if `claim` is good for it; raise `NotFoundError` or say what lacks."""
    device = find(connection, app_id, public_id)
    check_claim(device, claim)
    return device


def check_claim(device: Device, claim: Claim) -> None:
    """Raise unless the caller is a server or shows the device's secret."""
    if claim.is_server:
        return
    if claim.secret is None:
        raise DeviceSecretMissingError
    if device.secret_hash is None or not same_secret(claim.secret, device.secret_hash):
        raise DeviceSecretInvalidError


def _lock(connection: Connection, app_id: int, registrations: Sequence[Registration]) -> None:
    hashes = [hash_token(one.installation_id) for one in registrations]
    hashes += [one.target.token_hash for one in registrations if one.target]
    registration_repository.lock_names(connection, app_id, hashes)


def _write(
    connection: Connection, app_id: int, registrations: Sequence[Registration], known: set[str]
) -> None:
    """Store registrations, one for each installation, and what `_split` made of their targets."""
    devices, targets = _split(registrations)
    fresh = [one for one in devices if one.installation_id not in known]
    others = [one for one in devices if one.installation_id in known]
    if fresh:
        registration_repository.insert_devices(connection, app_id, fresh)
    if others:
        registration_repository.update_devices(connection, app_id, others)
    registration_repository.put_targets(connection, app_id, targets)


def _split(registrations: Sequence[Registration]) -> tuple[list[Registration], list[Registration]]:
    """Return one registration for each installation, and one for each target: the last ones."""
    devices: dict[str, Registration] = {}
    targets: dict[_Place, Registration] = {}
    owners: dict[tuple[str, str], _Place] = {}
    for one in registrations:
        before = devices.get(one.installation_id)
        fields = {**before.fields, **one.fields} if before else one.fields
        devices[one.installation_id] = replace(one, fields=fields)
        if one.target is None:
            continue
        place = (one.installation_id, one.target.provider, one.target.kind)
        token = (one.target.provider, one.target.token)
        _take_away(targets, owners.get(token), one.target.token)
        targets[place] = one
        owners[token] = place
    return list(devices.values()), list(targets.values())


def _take_away(targets: dict[_Place, Registration], place: _Place | None, token: str) -> None:
    """Forget that `token` is at `place`, unless another token has come there meanwhile."""
    present = targets.get(place) if place else None
    if place and present and present.target and present.target.token == token:
        del targets[place]
