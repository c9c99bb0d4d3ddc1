"""What is done with records, for each kind: checked as the API checks, written as sets."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Engine

from api.batches import faults_of
from api.device_batch import to_registration
from api.device_bodies import DevicePayload
from api.device_work import allows_production
from api.imports.event_importer import EventsImporter
from api.imports.importer import Importer, Written
from api.imports.mapping import CONSENTS
from api.people import TOO_LARGE, PersonItem, to_change
from core.errors import FieldError, InvalidPayloadError
from core.settings import Settings
from delivery.devices import importing as devices
from segments.attributes.service import admit
from segments.identity.names import hold_ids
from segments.people import importing
from segments.people.person import PersonChange


class PeopleImporter:
    """Imports people."""

    def __init__(self, *, names_limit: int) -> None:
        self._names_limit = names_limit

    def check(self, _line: int, payload: Mapping[str, Any]) -> PersonChange:
        """Return the change to one person."""
        payload = _with_consents(payload)
        try:
            item = PersonItem.model_validate(payload)
        except ValidationError as error:
            raise InvalidPayloadError(fields=tuple(faults_of(error, payload))) from error
        return to_change(item.external_id, item)

    def prepare(self, _database: Engine, _app_id: int, _items: Sequence[tuple[int, Any]]) -> None:
        """Nothing is needed."""

    def write(
        self, connection: Connection, app_id: int, items: Sequence[tuple[int, PersonChange]]
    ) -> Written:
        """Create or merge people; what an attribute can not be is a fault of its line."""
        refused = admit(connection, app_id, dict(items), names_limit=self._names_limit)
        good = [item for item in items if item[0] not in refused]
        merged = importing.merge_lines(connection, app_id, good)
        faults = {**refused, **{line: [TOO_LARGE] for line in merged.too_large}}
        return Written(merged.created, merged.updated, merged.unchanged, faults)


def _with_consents(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the payload as the API would get it; an empty cell says neither yes nor no."""
    given = {
        kind: payload[column]
        for column, kind in CONSENTS.items()
        if payload.get(column) is not None
    }
    rest = {name: value for name, value in payload.items() if name not in CONSENTS}
    listed = rest.get("consents", {})
    # What is no object is refused with its pointer when it is checked.
    return {**rest, "consents": {**listed, **given}} if given and isinstance(listed, dict) else rest


class DevicesImporter:
    """Imports devices; whose they are must be imported before."""

    def __init__(self, *, allows_production: bool) -> None:
        self._allows_production = allows_production

    def check(self, _line: int, payload: Mapping[str, Any]) -> DevicePayload:
        """Return the checked payload of one device."""
        try:
            return DevicePayload.model_validate(payload)
        except ValidationError as error:
            raise InvalidPayloadError(fields=tuple(faults_of(error, payload))) from error

    def prepare(self, _database: Engine, _app_id: int, _items: Sequence[tuple[int, Any]]) -> None:
        """Nothing is needed."""

    def write(
        self, connection: Connection, app_id: int, items: Sequence[tuple[int, DevicePayload]]
    ) -> Written:
        """Register devices; a line about an unknown person is a fault."""
        named = {item.person for _, item in items if item.person is not None}
        ids = hold_ids(connection, app_id, sorted(named))
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
        return PeopleImporter(names_limit=settings.attribute_names_limit)
    if kind == "events":
        return EventsImporter(names_limit=settings.event_names_limit)
    return DevicesImporter(allows_production=allows_production(settings))
