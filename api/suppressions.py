"""Suppressions: `/v1/suppressions`. Who is never sent to, whatever a message says."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field, StringConstraints
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import PeopleReadCall, SegmentWriteCall
from api.conditions import ONCE
from api.fields import FIRST_PAGE, Cursor, Document, ExternalId, Limit, Page, Payload
from api.idempotency import run_once
from api.openapi import answers, problems
from api.route import DoorRoute
from core.errors import NotFoundError
from segments.suppressions import repository
from segments.suppressions.repository import Suppression

router = APIRouter(prefix="/v1/suppressions", tags=["Suppressions"], route_class=DoorRoute)
_NAMES_LIMIT = 10_000
_WISH: dict[str, Any] = {"people": ["ada"], "reason": "Asked by letter"}
_EXAMPLE: dict[str, Any] = {
    "person": "ada",
    "reason": "Asked by letter",
    "source": "key_mfrggzdfmztwq2lknnwg23tpoa",
    "created_at": "2026-03-01T12:00:00Z",
}
_PersonId = Annotated[ExternalId, Path(description="The name that was suppressed.")]


class SuppressionsPayload(Payload):
    """Names to suppress. They need not be known yet."""

    people: Annotated[list[ExternalId], Field(min_length=1, max_length=_NAMES_LIMIT)]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [_WISH]})


class AddedDocument(Document):
    """How many names are new on the list, and how many were on it before and stay as they were."""

    added: int
    known: int


class SuppressionDocument(Document):
    """A name that is never sent to; `source` is the id of the key that suppressed it."""

    person: str
    reason: str | None
    source: str
    created_at: datetime


class SuppressionPage(Page):
    """Suppressions in the order they came."""

    data: list[SuppressionDocument]


def _document(one: Suppression) -> SuppressionDocument:
    return SuppressionDocument(
        person=one.external_id, reason=one.reason, source=one.source, created_at=one.created_at
    )


@router.post(
    "",
    response_model=AddedDocument,
    dependencies=[ONCE],
    responses={**answers({"added": 1, "known": 0}), **problems(401, 403, 409)},
)
def add_suppressions(call: SegmentWriteCall, body: SuppressionsPayload) -> Response:
    """Put up to 10,000 names on the suppression list: nothing is sent to who has one of them."""

    def work(connection: Connection) -> Answer:
        source = call.principal.key_public_id
        added = repository.add(
            connection, call.app.id, body.people, reason=body.reason, source=source
        )
        known = len(set(body.people)) - len(added)
        if added:
            detail = {"count": len(added), "first": sorted(added)[:10]}
            audit.record(
                connection, call.principal, "suppression.added", call.app.public_id, detail
            )
        return Answer(AddedDocument(added=len(added), known=known))

    return run_once(call, work)


@router.get(
    "",
    response_model=SuppressionPage,
    responses={**answers({"next_cursor": None, "data": [_EXAMPLE]}), **problems(401, 403)},
)
def list_suppressions(
    call: PeopleReadCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List suppressed names in the order they came."""

    def work(connection: Connection) -> Answer:
        rows = repository.list_after(connection, call.app.id, cursor, limit + 1)
        return Answer(
            SuppressionPage.cut(rows, limit, data=[_document(one) for one in rows[:limit]])
        )

    return call.answer(work)


@router.get(
    "/{suppressed:path}",
    response_model=SuppressionDocument,
    responses={**answers(_EXAMPLE), **problems(401, 403, 404)},
)
def read_suppression(call: PeopleReadCall, suppressed: _PersonId) -> Response:
    """Read the suppression of a name."""

    def work(connection: Connection) -> Answer:
        found = repository.find(connection, call.app.id, suppressed)
        if found is None:
            raise NotFoundError("This name is not on the suppression list.")
        return Answer(_document(found))

    return call.answer(work)


@router.delete(
    "/{suppressed:path}",
    status_code=204,
    responses={204: {"description": "Taken off"}, **problems(401, 403, 404)},
)
def remove_suppression(call: SegmentWriteCall, suppressed: _PersonId) -> Response:
    """Take a name off the suppression list."""

    def work(connection: Connection) -> Answer:
        if not repository.remove(connection, call.app.id, [suppressed]):
            raise NotFoundError("This name is not on the suppression list.")
        audit.record(connection, call.principal, "suppression.removed", suppressed, {})
        return Answer(status=204)

    return call.answer(work)
