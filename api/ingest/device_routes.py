"""What phones send most often: registrations and heartbeats, written in groups."""

import hashlib
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api.batches import faults_of
from api.calls import KEY, DeviceCall
from api.conditions import ONCE
from api.context import Services
from api.device_bodies import (
    CREATED,
    EXAMPLE,
    CreatedDevice,
    DeviceDocument,
    DevicePayload,
    Permission,
)
from api.device_work import (
    allows_production,
    given_columns,
    seen_now,
)
from api.devices import DeviceId, DeviceSecret
from api.fields import Payload
from api.ingest.device_writer import Registering
from api.ingest.hot_route import HotRoute, admitted, answered_by, shown_claim
from api.json_body import parse_json
from api.openapi import answers, problems
from api.places import Locale, TimeZone
from api.stored_answers import Once, once_of
from core.clock import utc_now
from core.errors import FieldError, InvalidPayloadError
from core.settings import Settings
from delivery.devices.device import Registration
from delivery.devices.heartbeat import Beat
from delivery.devices.service import Claim
from delivery.devices.target_plan import plan_target

router = APIRouter(prefix="/v1/devices", tags=["Devices"], route_class=HotRoute)

_SCOPE = "devices:write"
_Words = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Body = TypeVar("_Body", bound=BaseModel)


class HeartbeatPayload(Payload):
    """What has changed on the phone since the last time: nothing is the usual case."""

    app_version: _Words | None = None
    os_version: _Words | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    permission: Permission | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"app_version": "4.2.1"}]})


_HEARTBEAT_BODY: dict[str, Any] = {
    "content": {"application/json": {"schema": HeartbeatPayload.model_json_schema()}}
}


async def _register(request: Request) -> Response:
    app = admitted(request, _SCOPE, client=True)
    services: Services = request.app.state.services
    body = _parse(request.state.raw_body, DevicePayload)
    asked = to_registering(body, _claim(request), app.public_id, services.settings)
    asked = replace(asked, once=_once(request))
    ingest = services.ingest
    size = len(request.state.raw_body)
    (made,) = await ingest.group.submit(ingest.devices.register, app.id, [asked], size)
    return made.to_response()


@router.post(
    "",
    response_model=DeviceDocument,
    dependencies=[ONCE],
    responses={
        **answers(EXAMPLE, description="The installation was known and is updated"),
        201: {**answers(CREATED, status=201, description="New")[201], "model": CreatedDevice},
        **problems(401, 403, 409),
    },
)
@answered_by(_register)
def register(_call: DeviceCall, _body: DevicePayload, _secret: DeviceSecret = None) -> None:
    """Register an installation, or update it.

    A new one gets a secret, shown this once (201). A known one is updated (200) when the request
    shows that secret, or comes with a server's key; an app that has lost the secret registers
    under a fresh installation id, and its token moves there. A client key makes anonymous
    devices; with `person` it needs the `signature` of the app's server, and an `Idempotency-Key`
    counts only from 32 characters on, as the stored answer holds the secret: take random ones.
    """


def to_registering(
    body: DevicePayload, claim: Claim, app_public_id: str, settings: Settings
) -> Registering:
    """Return what a request asks for; raise `InvalidPayloadError` with pointers."""
    target = plan_target(body.to_claim(), allows_production=allows_production(settings))
    fields = seen_now(claim, given_columns(body))
    if body.person is None and "person" in body.model_fields_set:
        fields["person_id"] = None
    registration = Registration(body.installation_id, fields, target)
    return Registering(registration, claim, app_public_id, body.person, body.signature)


async def _take_device(device_id: DeviceId, _secret: DeviceSecret = None) -> None:
    """Document the parameters."""


@router.post(
    "/{device_id}/heartbeat",  # noqa: FAST003  _take_device takes it.
    status_code=204,
    dependencies=[KEY, Depends(_take_device)],
    openapi_extra={"requestBody": _HEARTBEAT_BODY},
    responses=problems(401, 403, 404, 409),
)
async def beat(request: Request) -> Response:
    """Say that a device is alive, with its secret or a server's key, and what has changed on it.

    It is seen now. Fields that are absent stay, null clears; the body may be absent.
    """
    app = admitted(request, _SCOPE, client=True)
    services: Services = request.app.state.services
    raw: bytes = request.state.raw_body
    body = _parse(raw, HeartbeatPayload) if raw else HeartbeatPayload()
    fields = {**given_columns(body), "last_seen_at": utc_now().isoformat()}
    sign = Beat(request.path_params["device_id"], fields, _claim(request))
    ingest = services.ingest
    await ingest.group.submit(ingest.devices.beat, app.id, [sign], len(raw))
    return Response(status_code=204)


def _once(request: Request) -> Once | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    route = f"{request.method} {request.url.path}"
    body_hash = hashlib.sha256(request.state.raw_body).digest()
    return once_of(request.state.principal, route, key, body_hash)


def _claim(request: Request) -> Claim:
    return shown_claim(request, is_server=request.state.principal.holds(_SCOPE))


def _parse(raw: bytes, kind: type[_Body]) -> _Body:
    """Return the payload of a body; raise problems with pointers, as other doors do."""
    if not raw:
        raise InvalidPayloadError(fields=(FieldError("", "missing", "Field required"),))
    value = parse_json(raw)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise InvalidPayloadError(fields=tuple(faults_of(error, value))) from error
