"""The provider credentials of an app: `/v1/apps/{app_id}/credentials`."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import AppAdminCall
from api.conditions import IF_MATCH, IF_NONE_MATCH, ONCE
from api.credential_bodies import (
    EXAMPLE,
    EXAMPLES,
    CertificatePayload,
    CredentialDocument,
    CredentialPage,
    CredentialPatch,
    NewCredential,
    ServiceAccountPayload,
    TokenPayload,
    to_document,
)
from api.etags import require_match
from api.fields import FIRST_PAGE, Cursor, Limit
from api.idempotency import run_once
from api.openapi import answers, problems, unchanged
from api.route import DoorRoute
from core.clock import utc_now
from core.errors import FieldError, InvalidPayloadError
from core.settings import Settings
from delivery.credentials import repository, service
from delivery.credentials.checks import check_certificate, check_service_account
from delivery.credentials.service import CredentialPlan
from delivery.providers.checks import check_p8

router = APIRouter(
    prefix="/v1/apps/{app_id}/credentials", tags=["Credentials"], route_class=DoorRoute
)
_GOOGLE_GATEWAY = Settings.model_fields["fcm_url"].default


@router.post(
    "",
    status_code=201,
    response_model=CredentialDocument,
    dependencies=[ONCE],
    responses={**answers(EXAMPLE, status=201), **problems(401, 403, 404, 409)},
)
def create(
    call: AppAdminCall, body: Annotated[NewCredential, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Add what the gateways need to know us by. The secret is never shown again."""
    plan = _plan(call.services.settings, body)
    service.refuse_production_in_staging(call.services.settings, plan.environment)

    def work(connection: Connection) -> Answer:
        row = service.add(connection, call.services.box, call.app.id, plan)
        detail = {"provider": plan.provider, "kind": plan.kind, "name": plan.name}
        audit.record(connection, call.principal, "credential.created", row.public_id, detail)
        return Answer(to_document(call.services.box, row), status=201)

    return run_once(call, work)


@router.get(
    "",
    response_model=CredentialPage,
    responses={**answers({"next_cursor": None, "data": [EXAMPLE]}), **problems(401, 403, 404)},
)
def list_all(
    call: AppAdminCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List the credentials of an app that are not retired."""

    def work(connection: Connection) -> Answer:
        rows = repository.list_after(connection, call.app.id, cursor, limit + 1)
        documents = [to_document(call.services.box, row) for row in rows[:limit]]
        return Answer(CredentialPage.cut(rows, limit, data=documents))

    return call.answer(work)


@router.get(
    "/{credential_id}",
    response_model=CredentialDocument,
    dependencies=[IF_NONE_MATCH],
    responses={**answers(EXAMPLE), **unchanged(), **problems(401, 403, 404)},
)
def read(call: AppAdminCall, credential_id: str) -> Response:
    """Read one credential: its facts and state, and why it is paused."""

    def work(connection: Connection) -> Answer:
        return Answer(
            to_document(call.services.box, service.get(connection, call.app.id, credential_id))
        )

    return call.answer(work)


@router.patch(
    "/{credential_id}",
    response_model=CredentialDocument,
    dependencies=[IF_MATCH],
    responses={**answers(EXAMPLE), **problems(401, 403, 404, 409, 412)},
)
def change(call: AppAdminCall, credential_id: str, body: CredentialPatch) -> Response:
    """Change the name or the quota."""
    values = body.model_dump(exclude_unset=True)
    if "name" in values and values["name"] is None:
        wrong = FieldError("/name", "wrong_type", "The name can not be null.")
        raise InvalidPayloadError(fields=(wrong,))

    def work(connection: Connection) -> Answer:
        if call.if_match is not None:
            present = repository.find(connection, call.app.id, credential_id, lock=True)
            require_match(
                call.if_match, to_document(call.services.box, present) if present else None
            )
        row = service.change(connection, call.app.id, credential_id, values)
        audit.record(connection, call.principal, "credential.changed", credential_id, values)
        return Answer(to_document(call.services.box, row))

    return call.answer(work)


@router.delete("/{credential_id}", status_code=204, responses=problems(401, 403, 404, 409))
def retire(call: AppAdminCall, credential_id: str) -> Response:
    """Retire a credential: nothing is sent with it any more."""

    def work(connection: Connection) -> Answer:
        service.retire(connection, call.app.id, credential_id)
        audit.record(connection, call.principal, "credential.retired", credential_id, {})
        return Answer(status=204)

    return call.answer(work)


def _plan(
    settings: Settings, body: ServiceAccountPayload | TokenPayload | CertificatePayload
) -> CredentialPlan:
    if isinstance(body, ServiceAccountPayload):
        return _plan_service_account(settings, body)
    return _plan_token(body) if isinstance(body, TokenPayload) else _plan_certificate(body)


def _plan_service_account(settings: Settings, body: ServiceAccountPayload) -> CredentialPlan:
    # Whoever points us at another gateway (the sandbox) has another token address, too.
    only_google = settings.fcm_url == _GOOGLE_GATEWAY
    return CredentialPlan(
        provider="fcm",
        kind=body.kind,
        name=body.name,
        secret=body.service_account,
        project_id=check_service_account(body.service_account, only_google=only_google),
        quota_per_minute=body.quota_per_minute,
    )


def _plan_token(body: TokenPayload) -> CredentialPlan:
    p8 = body.p8.get_secret_value()
    check_p8(p8)
    return CredentialPlan(
        provider="apns",
        kind=body.kind,
        name=body.name,
        secret={"p8": p8, "key_id": body.key_id, "team_id": body.team_id},
        environment=body.environment,
        topic=body.topic,
        quota_per_minute=body.quota_per_minute,
    )


def _plan_certificate(body: CertificatePayload) -> CredentialPlan:
    secret = {"p12": body.p12.get_secret_value(), "password": body.password.get_secret_value()}
    place = check_certificate(secret["p12"], secret["password"], utc_now())
    values = {
        "topic": body.topic or place.topic,
        "environment": body.environment or place.environment,
    }
    wrong = tuple(
        FieldError(f"/{name}", "missing", "The certificate does not say it: give it here.")
        for name, value in values.items()
        if value is None
    )
    if wrong:
        raise InvalidPayloadError(fields=wrong)
    return CredentialPlan(
        provider="apns",
        kind=body.kind,
        name=body.name,
        secret=secret,
        quota_per_minute=body.quota_per_minute,
        **values,
    )
