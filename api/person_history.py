"""How a person came to be as they are: `/v1/people/{external_id}/history` and `/aliases`."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import PeopleReadCall
from api.fields import FIRST_PAGE, Cursor, Document, ExternalId, Limit, Page
from api.merges import ValueChange
from api.openapi import answers, problems
from api.route import DoorRoute
from segments.history import repository
from segments.history.repository import Change
from segments.identity.merging import NAMES_LIMIT
from segments.identity.names import list_aliases
from segments.people import service

router = APIRouter(prefix="/v1/people", tags=["People"], route_class=DoorRoute)

_CHANGE: dict[str, Any] = {
    "at": "2026-03-01T12:00:00Z",
    "cause": None,
    "attributes": {"plan": {"before": "free", "after": "pro"}},
    "fields": {"locale": {"before": None, "after": "en-GB"}},
}
_PathId = Annotated[ExternalId, Path(description="The id of the person, or an alias.")]


class ChangeDocument(Document):
    """One change. A null is a value that was not there, or is not there any more.

    `cause` is null for what was written, else `merge mrg_…` or `undo mrg_…`.
    """

    at: datetime
    cause: str | None
    attributes: dict[str, ValueChange]
    fields: dict[str, ValueChange]


class HistoryPage(Page):
    """The changes of a person, newest first; before the last of them is how they began."""

    created_at: datetime
    data: list[ChangeDocument]


class AliasesDocument(Document):
    """All names of a person. There are at most 200."""

    external_id: str
    aliases: list[str]


@router.get(
    "/{external_id:path}/history",
    response_model=HistoryPage,
    responses={
        **answers({"next_cursor": None, "created_at": "2026-03-01T11:00:00Z", "data": [_CHANGE]}),
        **problems(401, 403, 404),
    },
)
def list_history(
    call: PeopleReadCall,
    external_id: _PathId,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List how a person has changed, as far back as changes are kept."""

    def work(connection: Connection) -> Answer:
        person = service.get(connection, call.app.id, external_id)
        rows = repository.list_of_person(
            connection, call.app.id, person.id, before=cursor or None, limit=limit + 1
        )
        data = [_document(one) for one in rows[:limit]]
        return Answer(HistoryPage.cut(rows, limit, data=data, created_at=person.created_at))

    return call.answer(work)


def _document(one: Change) -> ChangeDocument:
    return ChangeDocument(
        at=one.at,
        cause=one.cause,
        attributes=_pairs(one.before, one.after),
        fields=_pairs(one.about_before, one.about_after),
    )


def _pairs(before: Any, after: Any) -> dict[str, ValueChange]:
    return {
        name: ValueChange(before=before.get(name), after=after.get(name))
        for name in sorted(before.keys() | after.keys())
    }


@router.get(
    "/{external_id:path}/aliases",
    response_model=AliasesDocument,
    responses={
        **answers({"external_id": "customer-1815", "aliases": ["ada@example.com"]}),
        **problems(401, 403, 404),
    },
)
def list_names(call: PeopleReadCall, external_id: _PathId) -> Response:
    """List the names that lead to a person."""

    def work(connection: Connection) -> Answer:
        person = service.get(connection, call.app.id, external_id)
        aliases = list_aliases(connection, call.app.id, person.id, limit=NAMES_LIMIT)
        return Answer(AliasesDocument(external_id=person.external_id, aliases=aliases))

    return call.answer(work)
