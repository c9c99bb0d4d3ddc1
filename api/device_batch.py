"""Importing devices: checked one by one, written as one set."""

from collections.abc import Sequence

from sqlalchemy import Connection

from api.batches import Done, Parsed
from api.calls import Call
from api.device_bodies import DevicePayload
from api.device_documents import unknown_person
from api.device_work import allows_production, given_columns
from core.errors import FieldError, InvalidPayloadError
from delivery.devices import service
from delivery.devices.device import Registration
from delivery.devices.target_plan import plan_target
from segments.identity.names import hold_ids

_Outcome = tuple[dict[int, Done], dict[int, Sequence[FieldError]]]


def register_batch(connection: Connection, call: Call, parsed: Parsed[DevicePayload]) -> _Outcome:
    """Register the good items; return what became of them, and all faults."""
    faults = dict(parsed.faults)
    named = {item.person for item in parsed.items.values() if item.person is not None}
    ids = hold_ids(connection, call.app.id, sorted(named))
    production = allows_production(call.services.settings)
    good: dict[int, Registration] = {}
    for index, item in parsed.items.items():
        try:
            good[index] = to_registration(item, ids, allows_production=production)
        except InvalidPayloadError as error:
            faults[index] = error.fields
    devices, new = service.register_many(connection, call.app.id, list(good.values()))
    done = {
        index: Done(devices[one.installation_id].public_id, one.installation_id in new)
        for index, one in good.items()
    }
    return done, faults


def to_registration(
    item: DevicePayload, ids: dict[str, int], *, allows_production: bool
) -> Registration:
    """Return what to register; raise `InvalidPayloadError` with pointers.

    `ids` holds the inner ids of the people who exist, by external id.
    """
    target = plan_target(item.to_claim(), allows_production=allows_production)
    fields = given_columns(item)
    if item.person is not None:
        if item.person not in ids:
            raise InvalidPayloadError(fields=(unknown_person(),))
        fields["person_id"] = ids[item.person]
    elif "person" in item.model_fields_set:
        fields["person_id"] = None
    return Registration(item.installation_id, fields, target)
