"""Kill switches: nothing new leaves while one is on, for everybody, an app or a credential."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import ConfigDict, StringConstraints
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import AppAdminCall, AppMessageReadCall, Call, OperatorCall
from api.conditions import IF_MATCH, IF_NONE_MATCH
from api.etags import require_match
from api.fields import Document, Payload
from api.openapi import answers, problems, unchanged
from api.route import DoorRoute
from delivery.credentials import service as credentials
from delivery.kill_switches import repository
from delivery.kill_switches.repository import Level, Switch

router = APIRouter(prefix="/v1", tags=["Kill switches"], route_class=DoorRoute)
_APP, _CREDENTIAL = "/apps/{app_id}", "/apps/{app_id}/credentials/{credential_id}"
_INSTALLATION = "installation"
_REASON = "The price in the campaign is wrong."
_EXAMPLE: dict[str, Any] = {
    "is_on": True,
    "reason": _REASON,
    "set_by": "key_mfrggzdfmztwq2lknnwg23tpoa",
    "set_at": "2026-03-01T12:00:00Z",
    "stopped_by": ["app"],
}
_READ: dict[int | str, dict[str, Any]] = {
    **answers(_EXAMPLE),
    **unchanged(),
    **problems(401, 403, 404),
}
_SET: dict[int | str, dict[str, Any]] = {**answers(_EXAMPLE), **problems(401, 403, 404, 412)}
_LIFT = problems(401, 403, 404, 412)
# What was stopped waits in these.
_LANES = ("transactional", "campaign")
LevelOf = Callable[[Connection], Level]


class KillSwitchPayload(Payload):
    """Why sending is stopped, for those who find it stopped."""

    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")
    ]

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": _REASON}]})


class KillSwitchDocument(Document):
    """A switch. `stopped_by` names each level at which sending is stopped here.

    The levels are `installation`, `app` and `credential`. `set_by` is a key's id.
    """

    is_on: bool
    reason: str | None
    set_by: str | None
    set_at: datetime | None
    stopped_by: list[str]


@router.get(
    "/kill-switch", response_model=KillSwitchDocument, dependencies=[IF_NONE_MATCH], responses=_READ
)
def read_installation(call: OperatorCall) -> Response:
    """Tell whether sending is stopped for the whole installation. Needs an operator's key."""
    return _read(call, _everybody)


@router.put(
    "/kill-switch", response_model=KillSwitchDocument, dependencies=[IF_MATCH], responses=_SET
)
def stop_installation(call: OperatorCall, body: KillSwitchPayload) -> Response:
    """Stop sending for the whole installation within a second. Needs an operator's key.

    Messages are still accepted. Their recipients wait, until the switch is lifted or they expire.
    """
    return _stop(call, _INSTALLATION, _everybody, body.reason)


@router.delete("/kill-switch", status_code=204, dependencies=[IF_MATCH], responses=_LIFT)
def release_installation(call: OperatorCall) -> Response:
    """Let the installation send again, but for what other switches stop."""
    return _release(call, _INSTALLATION, _everybody)


@router.get(
    f"{_APP}/kill-switch",
    response_model=KillSwitchDocument,
    dependencies=[IF_NONE_MATCH],
    responses=_READ,
)
def read_app_switch(call: AppMessageReadCall) -> Response:
    """Tell whether sending is stopped for an app, and at which level."""
    return _read(call, _app_of(call))


@router.put(
    f"{_APP}/kill-switch",
    response_model=KillSwitchDocument,
    dependencies=[IF_MATCH],
    responses=_SET,
)
def stop_app(call: AppAdminCall, body: KillSwitchPayload) -> Response:
    """Stop all sending of an app within a second; what is on its way still ends."""
    return _stop(call, call.app.public_id, _app_of(call), body.reason)


@router.delete(f"{_APP}/kill-switch", status_code=204, dependencies=[IF_MATCH], responses=_LIFT)
def release_app(call: AppAdminCall) -> Response:
    """Let an app send again."""
    return _release(call, call.app.public_id, _app_of(call))


@router.get(
    f"{_CREDENTIAL}/kill-switch",
    response_model=KillSwitchDocument,
    dependencies=[IF_NONE_MATCH],
    responses=_READ,
)
def read_credential_switch(call: AppMessageReadCall, credential_id: str) -> Response:
    """Tell whether sending with a credential is stopped, and at which level."""
    return _read(call, _credential_of(call, credential_id))


@router.put(
    f"{_CREDENTIAL}/kill-switch",
    response_model=KillSwitchDocument,
    dependencies=[IF_MATCH],
    responses=_SET,
)
def stop_credential(call: AppAdminCall, credential_id: str, body: KillSwitchPayload) -> Response:
    """Stop sending with a credential within a second; what is on its way still ends."""
    return _stop(call, credential_id, _credential_of(call, credential_id), body.reason)


@router.delete(
    f"{_CREDENTIAL}/kill-switch", status_code=204, dependencies=[IF_MATCH], responses=_LIFT
)
def release_credential(call: AppAdminCall, credential_id: str) -> Response:
    """Let a credential send again."""
    return _release(call, credential_id, _credential_of(call, credential_id))


def _everybody(_connection: Connection) -> Level:
    return Level()


def _app_of(call: Call) -> LevelOf:
    return lambda _connection: Level(call.app.id)


def _credential_of(call: Call, credential_id: str) -> LevelOf:
    def level(connection: Connection) -> Level:
        return Level(call.app.id, credentials.get(connection, call.app.id, credential_id).id)

    return level


def _read(call: Call, level_of: LevelOf) -> Response:
    return call.answer(lambda connection: Answer(_document(connection, level_of(connection))))


def _stop(call: Call, subject: str, level_of: LevelOf, reason: str) -> Response:
    def work(connection: Connection) -> Answer:
        level = level_of(connection)
        present = _locked(connection, call, level)
        if present is None or present.reason != reason:
            repository.set_on(connection, level, reason, call.principal.key_public_id)
            detail = {"level": level.name, "reason": reason}
            audit.record(connection, call.principal, "kill_switch.set", subject, detail)
        return Answer(_document(connection, level))

    return call.answer(work)


def _release(call: Call, subject: str, level_of: LevelOf) -> Response:
    def work(connection: Connection) -> Answer:
        level = level_of(connection)
        present = _locked(connection, call, level)
        if present is not None:
            repository.set_off(connection, level)
            detail = {"level": level.name, "reason": present.reason}
            audit.record(connection, call.principal, "kill_switch.lifted", subject, detail)
        return Answer(status=204)

    response = call.answer(work)
    for lane in _LANES:
        call.services.nudger.nudge(lane)
    return response


def _locked(connection: Connection, call: Call, level: Level) -> Switch | None:
    present = repository.lock(connection, level)
    if call.if_match is not None:
        require_match(call.if_match, _document(connection, level))
    return present


def _document(connection: Connection, level: Level) -> KillSwitchDocument:
    found = repository.stopping(connection, level)
    own = next((switch for switch in found if switch.level == level), None)
    return KillSwitchDocument(
        is_on=own is not None,
        reason=own.reason if own else None,
        set_by=own.set_by if own else None,
        set_at=own.set_at if own else None,
        stopped_by=[switch.level.name for switch in found],
    )
