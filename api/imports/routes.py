"""Imports: `/v1/imports`."""

import hashlib
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import Answer
from api.calls import Call, ImportCall
from api.errors import ForbiddenScopeError
from api.fields import FIRST_PAGE, Cursor, Limit
from api.idempotency import run_once
from api.imports import repository
from api.imports.admission import check_room, declared_size
from api.imports.bodies import (
    ERROR_EXAMPLE,
    EXAMPLE,
    ImportDocument,
    ImportPage,
    LinePage,
    UploadQuery,
    to_document,
    to_line,
)
from api.imports.job import FileMark, ImportJob
from api.imports.opening import check_file
from api.imports.record import ImportOptions
from api.imports.storage import Storage, open_storage
from api.imports.upload import Received, receive
from api.ingest.errors import OutcomeUnknownError
from api.openapi import answers, problems
from api.route import DoorRoute
from core.errors import CarillonError, NotFoundError

router = APIRouter(prefix="/v1/imports", tags=["Imports"], route_class=DoorRoute)

_CSV = "external_id,locale,points\ncustomer-1815,en-GB,3\n"
_FILE = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file: CSV with a header, or JSONL, either also packed as gz.",
        "content": {
            "text/csv": {**_FILE, "example": _CSV},
            "application/x-ndjson": _FILE,
            "application/gzip": _FILE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": _FILE["schema"]},
                }
            },
        },
    }
}
_ImportId = Annotated[str, Path(max_length=64, description="The import's id, `imp_…`.")]


@router.post(
    "",
    status_code=202,
    response_model=ImportDocument,
    responses={**answers(EXAMPLE, status=202), **problems(401, 403, 409, 429)},
    openapi_extra=_BODY,
)
async def upload(
    call: ImportCall, request: Request, query: Annotated[UploadQuery, Query()]
) -> Response:
    """Upload a file of people, devices or events, to be imported by a worker.

    The body is the file itself, or a form with one part named `file`. What is wrong with the
    whole file is answered at once; bad lines are listed under `/errors` and keep no other from
    being imported. It is safe to import a file again.
    """
    options = query.to_options()
    scope = f"{options.kind}:write"
    if not call.principal.holds(scope):
        raise ForbiddenScopeError(f"To import {options.kind} needs the scope `{scope}`.")
    settings = call.services.settings
    storage = open_storage(settings)
    limit = settings.import_max_bytes
    size = declared_size(request, limit)
    if call.idempotency_key is None:
        # A repetition of what is stored already needs no room.
        await run_in_threadpool(
            call.transact, lambda one: check_room(one, settings, call.app.id, size)
        )
    async with contextmanager_in_threadpool(storage.create()) as (key, file):
        received = Received(file, limit, query.name)
        await receive(request, received)
    mark = FileMark(received.name or "upload", received.size, received.hash.digest())
    return await run_in_threadpool(_accept, call, storage, key, (mark, options))


def _accept(
    call: Call, storage: Storage, key: str, wish: tuple[FileMark, ImportOptions]
) -> Response:
    """Store the job of a received file; the file stays only when a job was made for it.

    It stays, too, when nobody knows: if only the answer to the COMMIT was lost, the job is there
    and needs it. If not, the maintenance worker removes it in time.
    """
    mark, options = wish
    made: list[ImportJob] = []

    def work(connection: Connection) -> Answer:
        check_room(connection, call.services.settings, call.app.id, mark.size)
        made[:] = [repository.add(connection, call.app.id, mark, options, key)]
        return Answer(to_document(made[0]), status=202)

    whole = mark.digest + orjson.dumps(options.to_json())
    try:
        check_file(storage.open(key), options)
        answer = run_once(replace(call, body_hash=hashlib.sha256(whole).digest()), work)
    except OutcomeUnknownError:
        raise
    except CarillonError:
        storage.remove(key)
        raise
    if made:
        call.services.nudger.nudge("maintenance")
    else:
        storage.remove(key)
    return answer


@router.get(
    "",
    response_model=ImportPage,
    responses={**answers({"next_cursor": None, "data": [EXAMPLE]}), **problems(401, 403)},
)
def list_imports(
    call: ImportCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List imports in the order they were made, those of commands included."""

    def work(connection: Connection) -> Answer:
        rows = repository.list_after(connection, call.app.id, cursor, limit + 1)
        return Answer(ImportPage.cut(rows, limit, data=[to_document(row) for row in rows[:limit]]))

    return call.answer(work)


@router.get(
    "/{import_id}",
    response_model=ImportDocument,
    responses={**answers(EXAMPLE), **problems(401, 403, 404)},
)
def read_import(call: ImportCall, import_id: _ImportId) -> Response:
    """Read an import: its state and how far it is."""
    return call.answer(lambda connection: Answer(to_document(_find(connection, call, import_id))))


@router.get(
    "/{import_id}/errors",
    response_model=LinePage,
    responses={
        **answers({"next_cursor": None, "data": [ERROR_EXAMPLE]}),
        **problems(401, 403, 404),
    },
)
def list_errors(
    call: ImportCall,
    import_id: _ImportId,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List the lines that were not taken, in the order of the file, each with its reasons."""

    def work(connection: Connection) -> Answer:
        job = _find(connection, call, import_id)
        rows = repository.list_errors(connection, job, cursor, limit + 1)
        return Answer(LinePage.cut(rows, limit, data=[to_line(row) for row in rows[:limit]]))

    return call.answer(work)


def _find(connection: Connection, call: Call, import_id: str) -> ImportJob:
    job = repository.find(connection, call.app.id, import_id)
    if job is None:
        raise NotFoundError
    return job
