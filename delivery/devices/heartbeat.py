"""Signs of life of devices: many at once, each with what has changed on the phone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from core.errors import CarillonError, NotFoundError
from delivery.devices import registration_repository, repository
from delivery.devices.device import Registration
from delivery.devices.service import Claim, check_claim


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life: what is given in `fields` has changed, as in a registration."""

    public_id: str
    fields: Mapping[str, Any]
    claim: Claim


def beat_all(
    connection: Connection, app_id: int, beats: Sequence[Beat]
) -> list[CarillonError | None]:
    """Note what devices say of themselves; return for each None, or what was in the way."""
    names = sorted({beat.public_id for beat in beats})
    known = repository.find_many(connection, app_id, names)
    results: list[CarillonError | None] = []
    good: dict[str, Registration] = {}
    for beat in beats:
        device = known.get(beat.public_id)
        try:
            if device is None:
                raise NotFoundError
            check_claim(device, beat.claim)
        except CarillonError as error:
            results.append(error)
            continue
        before = good.get(device.installation_id)
        fields = {**(before.fields if before else {}), **beat.fields}
        good[device.installation_id] = Registration(device.installation_id, fields)
        results.append(None)
    if good:
        registration_repository.update_devices(connection, app_id, list(good.values()))
    return results
