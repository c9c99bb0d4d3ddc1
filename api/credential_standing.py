"""What a credential goes through: resuming it, and its history."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import AppAdminCall
from api.credential_bodies import EXAMPLE, CredentialDocument, to_document
from api.fields import FIRST_PAGE, Cursor, Document, Limit, Page, Payload
from api.openapi import answers, problems
from api.probing import prober_of
from api.route import DoorRoute
from core.errors import CarillonError
from delivery.credentials import service, standing_repository
from delivery.credentials.errors import CredentialRefusedError
from delivery.credentials.opening import open_credential
from delivery.credentials.repository import CredentialRow
from delivery.credentials.service import Resumption
from delivery.guard.rules import FLEET_GUARD

router = APIRouter(
    prefix="/v1/apps/{app_id}/credentials/{credential_id}",
    tags=["Credentials"],
    route_class=DoorRoute,
)
# Somebody waits for the answer.
_PROBE_SECONDS = 5.0
# What waited for the credential waits in these.
_LANES = ("transactional", "campaign")
_WISHES: dict[str, Any] = {
    "ask": {"summary": "Ask the gateway first", "value": {}},
    "force": {"summary": "Ask nobody", "value": {"force": True}},
    "trust": {"summary": "The tokens really are wrong", "value": {"trust_refusals": True}},
}
_EVENT: dict[str, Any] = {
    "kind": "paused",
    "reason": "invalid_provider_token",
    "words": "Apple refuses the signing key (InvalidProviderToken): check key id, team id and "
    ".p8 file.",
    "actor": None,
    "at": "2026-03-01T12:00:00Z",
}


class ResumePayload(Payload):
    """`force` asks no gateway first; `trust_refusals` keeps the fleet guard quiet for a day."""

    force: bool = False
    trust_refusals: bool = False


class CredentialEvent(Document):
    """It was `paused` or `resumed`, or platforms of its project `held` or `released`.

    `actor` is the key of who did that, null if it came by itself.
    """

    kind: str
    reason: str | None
    words: str | None
    actor: str | None
    at: datetime


class CredentialHistory(Page):
    """What happened to a credential, newest first."""

    data: list[CredentialEvent]


@router.post(
    "/resume",
    response_model=CredentialDocument,
    responses={**answers(EXAMPLE), **problems(401, 403, 404, 409)},
)
def resume(
    call: AppAdminCall,
    credential_id: str,
    body: Annotated[ResumePayload | None, Body(openapi_examples=_WISHES)] = None,
) -> Response:
    """Let a paused credential send again, and platforms that are on hold.

    The gateway is asked first: 409 `credential_still_refused` says why it would pause again at
    once. With `force`, or when the gateway does not answer, it is resumed all the same; whatever
    is refused pauses it again and is sent later. What the fleet guard has paused can not be asked
    for: it counts afresh.
    """
    wish = body or ResumePayload()
    if not wish.force:
        _refuse_if_refused(call, credential_id)

    def work(connection: Connection) -> Answer:
        given = Resumption(call.principal.key_public_id, wish.trust_refusals)
        row = service.resume(connection, call.app.id, credential_id, given)
        audit.record(
            connection, call.principal, "credential.resumed", credential_id, wish.model_dump()
        )
        return Answer(to_document(call.services.box, row))

    response = call.answer(work)
    for lane in _LANES:
        call.services.nudger.nudge(lane)
    return response


@router.get(
    "/history",
    response_model=CredentialHistory,
    responses={**answers({"next_cursor": None, "data": [_EVENT]}), **problems(401, 403, 404)},
)
def list_history(
    call: AppAdminCall,
    credential_id: str,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List when a credential was paused and resumed, why, and by whom; newest first."""

    def work(connection: Connection) -> Answer:
        row = service.get(connection, call.app.id, credential_id)
        found = list(
            standing_repository.list_events(
                connection, call.app.id, row.id, before=cursor or None, limit=limit + 1
            )
        )
        data = [CredentialEvent.model_validate(one) for one in found[:limit]]
        return Answer(CredentialHistory.cut(found, limit, data=data))

    return call.answer(work)


def _refuse_if_refused(call: AppAdminCall, credential_id: str) -> None:
    """Ask the gateway, outside of any transaction."""
    services = call.services
    row = call.transact(lambda found: service.get(found, call.app.id, credential_id))
    if not _can_be_asked_for(row):
        return
    try:
        credential = open_credential(services.engine, services.box, call.app.id, row.id)
    except CarillonError as error:
        raise CredentialRefusedError(f"{error.detail} It stays paused.") from error
    said = prober_of(services.settings).probe([credential], _PROBE_SECONDS)[row.id]
    if said.refusal is not None:
        raise CredentialRefusedError(
            f"{said.refusal.words} It stays paused, and is tried again by itself. With "
            '{"force": true} it is resumed all the same, until the first push is refused.'
        )


def _can_be_asked_for(row: CredentialRow) -> bool:
    return row.state == "paused" and row.reason != FLEET_GUARD
