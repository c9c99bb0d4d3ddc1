"""Devices: `/v1/devices`."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Path
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.batches import BatchDocument, answer_batch, parse_items
from api.calls import Call, DeviceCall, DeviceWriteCall
from api.conditions import IF_MATCH, IF_NONE_MATCH, ONCE
from api.device_batch import register_batch
from api.device_bodies import (
    EXAMPLE,
    BindPayload,
    DeviceDocument,
    DevicePatch,
    DevicePayload,
    DevicesPayload,
)
from api.device_work import (
    SECRET_HEADER,
    allows_production,
    claim_of,
    find_person,
    given_columns,
    seen_now,
    to_document,
)
from api.etags import require_match
from api.idempotency import run_once
from api.openapi import answers, problems, unchanged
from api.route import DoorRoute
from core.errors import FieldError, InvalidPayloadError
from delivery.devices import repository, service
from delivery.devices.device import Device, Registration, TargetPlan
from delivery.devices.target_plan import plan_target

router = APIRouter(prefix="/v1/devices", tags=["Devices"], route_class=DoorRoute)

_RESULTS = {
    "succeeded": 1,
    "failed": 0,
    "results": [{"index": 0, "status": 201, "id": EXAMPLE["id"], "errors": None}],
}
_CHANGED = {**answers(EXAMPLE), **problems(401, 403, 404, 409)}
DeviceId = Annotated[str, Path(max_length=64, description="The device's id, `dev_…`.")]
DeviceSecret = Annotated[
    str | None,
    Header(
        alias=SECRET_HEADER,
        max_length=200,
        description="The secret given at registration. A server key needs none.",
    ),
]


@router.post(
    "/batch",
    status_code=207,
    response_model=BatchDocument,
    dependencies=[ONCE],
    responses={**answers(_RESULTS, status=207), **problems(401, 403, 409)},
)
def register_all(call: DeviceWriteCall, body: DevicesPayload) -> Response:
    """Import up to 1,000 devices with a server's key. A bad item never fails the others.

    Imported devices have no secret: the app on the phone gets one when it registers itself.
    """
    parsed = parse_items(DevicePayload, body.devices)

    def work(connection: Connection) -> Answer:
        done, faults = register_batch(connection, call, parsed)
        return answer_batch("devices", len(body.devices), done, faults)

    return run_once(call, work)


@router.get(
    "/{device_id}",
    response_model=DeviceDocument,
    dependencies=[IF_NONE_MATCH],
    responses={**_CHANGED, **unchanged()},
)
def read(call: DeviceCall, device_id: DeviceId, secret: DeviceSecret = None) -> Response:
    """Read one device, with its secret or a server's key."""

    def work(connection: Connection) -> Answer:
        device = service.find_claimed(connection, call.app.id, device_id, claim_of(call, secret))
        return Answer(to_document(connection, call, device))

    return call.answer(work)


@router.patch(
    "/{device_id}",
    response_model=DeviceDocument,
    dependencies=[IF_MATCH],
    responses={**_CHANGED, **problems(412)},
)
def change(
    call: DeviceCall, device_id: DeviceId, body: DevicePatch, secret: DeviceSecret = None
) -> Response:
    """Change what is given; a new token replaces the old one of its kind."""
    target = _changed_target(call, body)
    columns = given_columns(body)

    def wish(connection: Connection) -> tuple[dict[str, object], TargetPlan | None]:
        if call.if_match is not None:
            present = repository.find(connection, call.app.id, device_id, lock=True)
            document = to_document(connection, call, present) if present else None
            require_match(call.if_match, document)
        return columns, target

    return _change(call, device_id, secret, wish)


@router.post("/{device_id}/bind", response_model=DeviceDocument, responses=_CHANGED)
def bind(
    call: DeviceCall, device_id: DeviceId, body: BindPayload, secret: DeviceSecret = None
) -> Response:
    """Say whose device it is: with the device's secret and a signature, or a server's key."""

    def person(connection: Connection) -> tuple[dict[str, object], None]:
        return {"person_id": find_person(connection, call, body.person, body.signature)}, None

    return _change(call, device_id, secret, person)


@router.post("/{device_id}/unbind", response_model=DeviceDocument, responses=_CHANGED)
def unbind(call: DeviceCall, device_id: DeviceId, secret: DeviceSecret = None) -> Response:
    """Make a device anonymous, as at a sign-out."""
    return _change(call, device_id, secret, lambda _: ({"person_id": None}, None))


@router.delete("/{device_id}", status_code=204, responses=problems(401, 403, 404, 409))
def remove(call: DeviceCall, device_id: DeviceId, secret: DeviceSecret = None) -> Response:
    """Delete a device and its targets."""

    def work(connection: Connection) -> Answer:
        device = service.find_claimed(connection, call.app.id, device_id, claim_of(call, secret))
        service.remove(connection, call.app.id, device)
        return Answer(status=204)

    return call.answer(work)


_Wish = Callable[[Connection], tuple[dict[str, object], TargetPlan | None]]


def _change(call: Call, device_id: str, secret: str | None, wish: _Wish) -> Response:
    claim = claim_of(call, secret)

    def work(connection: Connection) -> Answer:
        device: Device = service.find_claimed(connection, call.app.id, device_id, claim)
        columns, target = wish(connection)
        registration = Registration(device.installation_id, seen_now(claim, columns), target)
        changed = service.change(connection, call.app.id, device, registration)
        return Answer(to_document(connection, call, changed))

    return call.answer(work)


def _changed_target(call: Call, body: DevicePatch) -> TargetPlan | None:
    claim = body.to_claim()
    if claim is not None:
        return plan_target(claim, allows_production=allows_production(call.services.settings))
    alone = {"token", "fid", "kind", "environment", "topic"} & body.model_fields_set
    if alone:
        wrong = FieldError("/provider", "missing", "A token needs its provider.")
        raise InvalidPayloadError(fields=(wrong,))
    return None
