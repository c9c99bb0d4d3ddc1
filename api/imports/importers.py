"""What is done with records, for each kind: checked as the API checks, written as sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError
from sqlalchemy import Connection

from api.batches import faults_of
from api.device_batch import to_registration
from api.device_bodies import DevicePayload
from api.device_work import allows_production
from api.people import TOO_LARGE, PersonItem, to_change
from core.errors import FieldError, InvalidPayloadError
from core.settings import Settings
from delivery.devices import importing as devices
from segments.people import importing, repository
from segments.people.person import PersonChange

Faults = Mapping[int, Sequence[FieldError]]


@dataclass(frozen=True, slots=True)
class Written:
    """How many lines of a slice had which fate, and what is wrong with the others."""

    created: int
    updated: int
    unchanged: int
    faults: Faults


class Importer(Protocol):
    """Checks payloads one by one, and writes them together."""

    def check(self, payload: Mapping[str, Any]) -> Any:
        """Return the item; raise `InvalidPayloadError` with pointers."""

    def write(
        self, connection: Connection, app_id: int, items: Sequence[tuple[int, Any]]
    ) -> Written:
        """Write items with their line numbers, in their order."""


class PeopleImporter:
    """Imports people."""

    def check(self, payload: Mapping[str, Any]) -> PersonChange:
        """Return the change to one person."""
        try:
            item = PersonItem.model_validate(payload)
        except ValidationError as error:
            raise InvalidPayloadError(fields=tuple(faults_of(error, payload))) from error
        return to_change(item.external_id, item)

    def write(
        self, connection: Connection, app_id: int, items: Sequence[tuple[int, PersonChange]]
    ) -> Written:
        """Create or merge people."""
        merged = importing.merge_lines(connection, app_id, items)
        faults = {line: [TOO_LARGE] for line in merged.too_large}
        return Written(merged.created, merged.updated, merged.unchanged, faults)


class DevicesImporter:
    """Imports devices; whose they are must be imported before."""

    def __init__(self, *, allows_production: bool) -> None:
        self._allows_production = allows_production

    def check(self, payload: Mapping[str, Any]) -> DevicePayload:
        """Return the checked payload of one device."""
        try:
            return DevicePayload.model_validate(payload)
        except ValidationError as error:
            raise InvalidPayloadError(fields=tuple(faults_of(error, payload))) from error

    def write(
        self, connection: Connection, app_id: int, items: Sequence[tuple[int, DevicePayload]]
    ) -> Written:
        """Register devices; a line about an unknown person is a fault."""
        named = {item.person for _, item in items if item.person is not None}
        ids = repository.find_ids(connection, app_id, sorted(named))
        faults: dict[int, Sequence[FieldError]] = {}
        good = []
        for line, item in items:
            try:
                good.append(to_registration(item, ids, allows_production=self._allows_production))
            except InvalidPayloadError as error:
                faults[line] = error.fields
        created = devices.register_lines(connection, app_id, good)
        return Written(created, len(good) - created, 0, faults)


def importer_for(kind: str, settings: Settings) -> Importer:
    """Return the importer of one kind."""
    if kind == "people":
        return PeopleImporter()
    return DevicesImporter(allows_production=allows_production(settings))
