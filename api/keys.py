"""The keys of an app: `/v1/apps/{app_id}/keys`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit, repository
from api.answers import Answer
from api.calls import AppAdminCall, Call
from api.conditions import ONCE
from api.errors import ForbiddenScopeError
from api.fields import FIRST_PAGE, WHOLE, Cursor, Document, Limit, Moment, Name, Page, Payload
from api.idempotency import run_once
from api.key_service import KeyPlan, MadeKey, create_key, rotate_key
from api.openapi import answers, problems
from api.principal import OPERATOR
from api.repository import KeyRow
from api.route import DoorRoute
from core.clock import utc_now
from core.errors import FieldError, InvalidPayloadError, NotFoundError

router = APIRouter(prefix="/v1/apps/{app_id}/keys", tags=["Keys"], route_class=DoorRoute)

_KEY: dict[str, Any] = {
    "id": "key_mfrggzdfmztwq2lknnwg23tpoa",
    "kind": "server",
    "name": "Shop backend",
    "scopes": ["messages:send", "messages:read"],
    "hint": "ck_live_2bFz",
    "created_at": "2026-03-01T12:00:00Z",
    "last_used_at": None,
    "expires_at": None,
}
_MADE = {**_KEY, "secret": "ck_live_2bFzq0y0m1VJ3o5hT9wUu8xK4rN6sPdQeWcYaLgHiJk"}
_SERVER: dict[str, Any] = {
    "kind": "server",
    "name": "Shop backend",
    "scopes": ["messages:send", "messages:read"],
}
_EXAMPLES: dict[str, Any] = {
    "server": {"summary": "For your own servers", "value": _SERVER},
    "client": {"summary": "For the app on the phones", "value": {"kind": "client", "name": "App"}},
}

Scope = Literal[
    "messages:send",
    "messages:read",
    "devices:write",
    "people:read",
    "people:write",
    "events:write",
    "segments:write",
    "campaigns:write",
    "stats:read",
    "admin",
]


class _Common(Payload):
    name: Name
    expires_at: Moment | None = None


class ServerKeyPayload(_Common):
    """A key for your own servers; it needs at least one scope."""

    kind: Literal["server"]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)]


class ClientKeyPayload(_Common):
    """A key for the app on the phones. It is public, so it holds no scopes."""

    kind: Literal["client"]
    scopes: Annotated[list[Scope], Field(max_length=0, default_factory=list)]


NewKey = Annotated[ServerKeyPayload | ClientKeyPayload, Field(discriminator="kind")]


class RotationPayload(Payload):
    """How long the old secret stays good beside the new one."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400), WHOLE] = 3_600

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_seconds": 3600}]})


class KeyDocument(Document):
    """A key, without its secret. `hint` is how the secret begins."""

    id: str
    kind: str
    name: str
    scopes: list[str]
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class MadeKeyDocument(KeyDocument):
    """A key just made. `secret` is shown this once."""

    secret: str


class KeyPage(Page):
    """Living keys in the order they were made."""

    data: list[KeyDocument]


def _to_document(row: KeyRow) -> KeyDocument:
    return KeyDocument(
        id=row.public_id,
        kind=row.kind,
        name=row.name,
        scopes=list(row.scopes),
        hint=row.hint,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )


def _made(made: MadeKey) -> Answer:
    document = MadeKeyDocument(**_to_document(made.row).model_dump(), secret=made.secret)
    return Answer(document, status=201)


@router.post(
    "",
    status_code=201,
    response_model=MadeKeyDocument,
    dependencies=[ONCE],
    responses={**answers(_MADE, status=201), **problems(401, 403, 404, 409)},
)
def create(
    call: AppAdminCall, body: Annotated[NewKey, Body(openapi_examples=_EXAMPLES)]
) -> Response:
    """Make a key for a server or for the app on the phones. Its secret is shown this once."""
    if body.expires_at is not None and body.expires_at <= utc_now():
        wrong = FieldError("/expires_at", "in_the_past", "The key would be dead at once.")
        raise InvalidPayloadError(fields=(wrong,))

    def work(connection: Connection) -> Answer:
        plan = KeyPlan(call.app.id, body.kind, body.name, body.scopes, body.expires_at)
        made = create_key(connection, plan)
        detail = {"kind": body.kind, "name": body.name, "scopes": body.scopes}
        audit.record(connection, call.principal, "key.created", made.row.public_id, detail)
        return _made(made)

    return run_once(call, work)


@router.get(
    "",
    response_model=KeyPage,
    responses={**answers({"next_cursor": None, "data": [_KEY]}), **problems(401, 403, 404)},
)
def list_all(
    call: AppAdminCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List the keys of an app, without their secrets."""

    def work(connection: Connection) -> Answer:
        rows = repository.list_keys(connection, call.app.id, cursor, limit + 1)
        return Answer(KeyPage.cut(rows, limit, data=[_to_document(row) for row in rows[:limit]]))

    return call.answer(work)


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    response_model=MadeKeyDocument,
    dependencies=[ONCE],
    responses={**answers(_MADE, status=201), **problems(401, 403, 404, 409)},
)
def rotate(call: AppAdminCall, key_id: str, body: RotationPayload) -> Response:
    """Make a successor with the same name and scopes; the old secret dies after the overlap.

    A key has one successor: whoever rotates it a second time, or at the same moment, gets 409.
    To repeat a request whose answer was lost, send the same `Idempotency-Key`.
    """

    def work(connection: Connection) -> Answer:
        old = _find(connection, call, key_id)
        made = rotate_key(connection, old, body.overlap_seconds)
        detail = {"successor": made.row.public_id, "overlap_seconds": body.overlap_seconds}
        audit.record(connection, call.principal, "key.rotated", key_id, detail)
        return _made(made)

    return run_once(call, work)


@router.delete("/{key_id}", status_code=204, responses=problems(401, 403, 404))
def revoke(call: AppAdminCall, key_id: str) -> Response:
    """End a key at once."""

    def work(connection: Connection) -> Answer:
        repository.revoke_key(connection, _find(connection, call, key_id).id)
        audit.record(connection, call.principal, "key.revoked", key_id, {})
        return Answer(status=204)

    return call.answer(work)


def _find(connection: Connection, call: Call, key_id: str) -> KeyRow:
    key = repository.find_key(connection, call.app.id, key_id)
    if key is None:
        raise NotFoundError
    if OPERATOR in key.scopes and not call.principal.is_operator:
        raise ForbiddenScopeError("Only an operator's key may change an operator's key.")
    return key
