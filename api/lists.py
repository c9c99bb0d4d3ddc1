"""Static lists: `/v1/lists`. People who are named one by one, in a file."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import ConfigDict
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import Call, SegmentReadCall, SegmentWriteCall
from api.conditions import ONCE
from api.errors import UnsupportedMediaTypeError
from api.fields import FIRST_PAGE, Cursor, Document, Limit, Name, Page, Payload
from api.idempotency import run_once
from api.list_file import COLUMN, read_names
from api.openapi import answers, problems
from api.route import DoorRoute, read_body
from core.ids import new_public_id
from segments.definitions import repository as segments
from segments.identity.names import hold_ids
from segments.lists import repository
from segments.lists.repository import StaticList

router = APIRouter(prefix="/v1/lists", tags=["Lists"], route_class=DoorRoute)
_SHOWN = 100
_LIST: dict[str, Any] = {
    "id": "lst_mfrggzdfmztwq2lknnwg23tpoa",
    "name": "Guests of the opening",
    "people": 240,
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
}
_PUT: dict[str, Any] = {
    "people": 240,
    "matched": 240,
    "unmatched": 1,
    "bad": 1,
    "unmatched_names": ["nobody"],
    "bad_lines": [{"line": 7, "code": "invalid_value", "message": "A name has 1 to 255 …"}],
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"CSV in UTF-8, whose first line has the column `{COLUMN}`.",
        "content": {
            "text/csv": {
                "schema": {"type": "string", "format": "binary"},
                "example": f"{COLUMN}\nada\nbob\n",
            }
        },
    }
}
_ListId = Annotated[str, Path(min_length=1, max_length=64, description="The id, `lst_…`.")]


class ListPayload(Payload):
    """A list, to be filled from a file."""

    name: Name

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Guests"}]})


class ListDocument(Document):
    """A static list; `people` are on it now."""

    id: str
    name: str
    people: int
    created_at: datetime
    updated_at: datetime


class ListPage(Page):
    """Lists in the order they were made."""

    data: list[ListDocument]


class BadLineDocument(Document):
    """A line that names nobody."""

    line: int
    code: str
    message: str


class PutDocument(Document):
    """What became of a file; `people` are on the list now.

    `unmatched` are names that the app does not know, `bad` lines that could not be read. The first
    100 of both are shown.
    """

    people: int
    matched: int
    unmatched: int
    bad: int
    unmatched_names: list[str]
    bad_lines: list[BadLineDocument]


def _document(one: StaticList) -> ListDocument:
    return ListDocument(
        id=one.public_id,
        name=one.name,
        people=one.people,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


@router.post(
    "",
    status_code=201,
    response_model=ListDocument,
    dependencies=[ONCE],
    responses={**answers({**_LIST, "people": 0}, status=201), **problems(401, 403, 409)},
)
def create_list(call: SegmentWriteCall, body: ListPayload) -> Response:
    """Make an empty list."""

    def work(connection: Connection) -> Answer:
        public_id = new_public_id("lst")
        repository.create(connection, call.app.id, public_id, body.name)
        audit.record(connection, call.principal, "list.created", public_id, {"name": body.name})
        made = repository.get(connection, call.app.id, public_id)
        return Answer(_document(made), status=201)

    return run_once(call, work)


@router.get(
    "",
    response_model=ListPage,
    responses={**answers({"next_cursor": None, "data": [_LIST]}), **problems(401, 403)},
)
def list_lists(
    call: SegmentReadCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List the static lists in the order they were made."""

    def work(connection: Connection) -> Answer:
        found = repository.list_after(connection, call.app.id, cursor, limit + 1)
        return Answer(ListPage.cut(found, limit, data=[_document(one) for one in found[:limit]]))

    return call.answer(work)


@router.get(
    "/{list_id}",
    response_model=ListDocument,
    responses={**answers(_LIST), **problems(401, 403, 404)},
)
def read_list(call: SegmentReadCall, list_id: _ListId) -> Response:
    """Read a list, and how many are on it."""
    return call.answer(
        lambda connection: Answer(_document(repository.get(connection, call.app.id, list_id)))
    )


@router.delete(
    "/{list_id}",
    status_code=204,
    responses={204: {"description": "Deleted"}, **problems(401, 403, 404, 409)},
)
def delete_list(call: SegmentWriteCall, list_id: _ListId) -> Response:
    """Delete a list that no segment names: a rule that leaves its people out would mean them."""

    def work(connection: Connection) -> Answer:
        segments.lock(connection, call.app.id)
        found = repository.get(connection, call.app.id, list_id)
        naming = repository.naming(connection, call.app.id, list_id)
        if naming:
            raise repository.ListInUseError(f"Segments name it: {', '.join(naming)}.")
        repository.delete(connection, call.app.id, found.id)
        audit.record(connection, call.principal, "list.deleted", list_id, {"name": found.name})
        return Answer(status=204)

    return call.answer(work)


async def _read_file(call: Call, request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "text/csv":
        raise UnsupportedMediaTypeError("The body must be `text/csv`, plain or in gzip.")
    return await read_body(request, call.services.settings.max_body_bytes, is_json=False)


def _put(call: Call, list_id: str, body: bytes, *, replace: bool) -> Response:
    file = read_names(body)

    def work(connection: Connection) -> Answer:
        found = repository.get(connection, call.app.id, list_id)
        known = hold_ids(connection, call.app.id, file.names)
        people = sorted(set(known.values()))
        repository.put_members(connection, call.app.id, found.id, people, replace=replace)
        detail = {"matched": len(people), "replace": replace}
        audit.record(connection, call.principal, "list.filled", list_id, detail)
        unmatched = [name for name in file.names if name not in known]
        document = PutDocument(
            people=repository.get(connection, call.app.id, list_id).people,
            matched=len(known),
            unmatched=len(unmatched),
            bad=len(file.bad),
            unmatched_names=unmatched[:_SHOWN],
            bad_lines=[BadLineDocument.model_validate(one) for one in file.bad[:_SHOWN]],
        )
        return Answer(document)

    return call.answer(work)


@router.put(
    "/{list_id}/members",
    response_model=PutDocument,
    responses={**answers(_PUT), **problems(401, 403, 404)},
    openapi_extra=_BODY,
)
async def replace_members(call: SegmentWriteCall, request: Request, list_id: _ListId) -> Response:
    """Let exactly those be on the list whom a file names. Whom the app does not know is counted."""
    body = await _read_file(call, request)
    return await run_in_threadpool(_put, call, list_id, body, replace=True)


@router.post(
    "/{list_id}/members",
    response_model=PutDocument,
    responses={**answers(_PUT), **problems(401, 403, 404)},
    openapi_extra=_BODY,
)
async def append_members(call: SegmentWriteCall, request: Request, list_id: _ListId) -> Response:
    """Put those on the list, too, whom a file names. To repeat it changes nothing."""
    body = await _read_file(call, request)
    return await run_in_threadpool(_put, call, list_id, body, replace=False)
