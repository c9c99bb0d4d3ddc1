"""Registering, changing and removing devices, and who may do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from core.errors import CarillonError, NotFoundError
from core.secrets import hash_secret, new_secret, same_secret
from delivery.devices import registration_repository, repository, telling
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
    (made,) = register_claimed(connection, app_id, [(registration, claim)])
    if isinstance(made, CarillonError):
        raise made
    return made


def register_claimed(
    connection: Connection, app_id: int, requests: Sequence[tuple[Registration, Claim]]
) -> list[Registered | CarillonError]:
    """Do what `register` does for many callers at once; return each one's answer, in order.

    Of those about the same installation or token each finds what the ones before it have left.
    """
    _lock(connection, app_id, [registration for registration, _ in requests])
    results: dict[int, Registered | CarillonError] = {}
    for turn in _turns([registration for registration, _ in requests]):
        results |= _register_turn(connection, app_id, {index: requests[index] for index in turn})
    return [results[index] for index in range(len(requests))]


def _register_turn(
    connection: Connection, app_id: int, requests: Mapping[int, tuple[Registration, Claim]]
) -> dict[int, Registered | CarillonError]:
    names = [registration.installation_id for registration, _ in requests.values()]
    known = registration_repository.find_installations(connection, app_id, names)
    results: dict[int, Registered | CarillonError] = {}
    good: dict[int, Registration] = {}
    secrets: dict[int, str | None] = {}
    for index, (registration, claim) in requests.items():
        try:
            good[index], secrets[index] = _planned(
                registration, known.get(registration.installation_id), claim
            )
        except CarillonError as error:
            results[index] = error
    _write(connection, app_id, list(good.values()), known=set(known))
    devices = registration_repository.find_installations(
        connection, app_id, [one.installation_id for one in good.values()]
    )
    telling.tell_changed(connection, app_id, devices.values(), known)
    for index, one in good.items():
        results[index] = Registered(devices[one.installation_id], secrets[index])
    return results


def _turns(registrations: Sequence[Registration]) -> list[list[int]]:
    """Return the indexes in turns, in each of which no installation or token comes up twice."""
    turns: list[list[int]] = []
    last: dict[object, int] = {}
    for index, one in enumerate(registrations):
        things: list[object] = [one.installation_id]
        if one.target:
            things.append((one.target.provider, one.target.token))
        turn = max(last.get(thing, -1) for thing in things) + 1
        last |= dict.fromkeys(things, turn)
        if turn == len(turns):
            turns.append([])
        turns[turn].append(index)
    return turns


def _planned(
    registration: Registration, known: Device | None, claim: Claim
) -> tuple[Registration, str | None]:
    """Return what to write, and the secret that is given out with it; raise what is in the way."""
    if known is not None and (known.secret_hash is not None or claim.is_server):
        check_claim(known, claim)
        return registration, None
    secret = new_secret("ds")
    registration = replace(registration, secret_hash=hash_secret(secret))
    if known is not None:
        registration = replace(registration, fields={"person_id": None, **registration.fields})
    return registration, secret


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
    telling.tell_changed(connection, app_id, devices.values(), known)
    return devices, set(names) - known


def change(
    connection: Connection, app_id: int, device: Device, registration: Registration
) -> Device:
    """Set what `registration` gives on a device that `find_claimed` has returned."""
    _lock(connection, app_id, [registration])
    _write(connection, app_id, [registration], known={device.installation_id})
    changed = find(connection, app_id, device.public_id)
    telling.tell_changed(connection, app_id, [changed], {device.installation_id})
    return changed


def remove(connection: Connection, app_id: int, device: Device) -> None:
    """Delete a device that `find_claimed` has returned, with its targets."""
    repository.remove(connection, app_id, device.id)
    telling.tell_removed(connection, app_id, device)


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
