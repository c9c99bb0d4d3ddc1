"""Segments: `/v1/segments`. Their rules, versions, and what they name."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import SegmentReadCall, SegmentWriteCall
from api.conditions import IF_MATCH, IF_NONE_MATCH, ONCE
from api.etags import require_match
from api.fields import FIRST_PAGE, Cursor, Limit
from api.idempotency import run_once
from api.openapi import answers, problems, unchanged
from api.route import DoorRoute
from api.segment_bodies import (
    SEGMENT,
    VERSION,
    SegmentDocument,
    SegmentPage,
    SegmentPayload,
    VersionPage,
    to_document,
    to_version,
)
from segments.definitions import repository, service
from segments.definitions.segment import Segment
from segments.watching import service as watching

router = APIRouter(prefix="/v1/segments", tags=["Segments"], route_class=DoorRoute)
SegmentId = Annotated[
    str, Path(min_length=1, max_length=64, description="The segment's id, such as `seg_…`.")
]


def _document(connection: Connection, app_id: int, one: Segment) -> SegmentDocument:
    return to_document(one, service.warnings(connection, app_id, [one.rule])[0])


@router.post(
    "",
    status_code=201,
    response_model=SegmentDocument,
    dependencies=[ONCE],
    responses={**answers(SEGMENT, status=201, description="Created"), **problems(401, 403, 409)},
)
def create_segment(call: SegmentWriteCall, body: SegmentPayload) -> Response:
    """Make a segment. Whatever is wrong with its rule is pointed at, all at once."""

    def work(connection: Connection) -> Answer:
        by = call.principal.key_public_id
        made = service.create(connection, call.app.id, body.to_new(), by)
        detail = {"name": made.name, "hash": made.rule_hash}
        audit.record(connection, call.principal, "segment.created", made.public_id, detail)
        return Answer(_document(connection, call.app.id, made), status=201)

    return run_once(call, work)


@router.get(
    "",
    response_model=SegmentPage,
    responses={**answers({"next_cursor": None, "data": [SEGMENT]}), **problems(401, 403)},
)
def list_segments(
    call: SegmentReadCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List segments in the order they were made."""

    def work(connection: Connection) -> Answer:
        rows = repository.list_after(connection, call.app.id, cursor, limit + 1)
        warned = service.warnings(connection, call.app.id, [one.rule for one in rows[:limit]])
        data = [to_document(*pair) for pair in zip(rows[:limit], warned, strict=True)]
        return Answer(SegmentPage.cut(rows, limit, data=data))

    return call.answer(work)


@router.get(
    "/{segment_id}",
    response_model=SegmentDocument,
    dependencies=[IF_NONE_MATCH],
    responses={**answers(SEGMENT), **unchanged(), **problems(401, 403, 404)},
)
def read_segment(call: SegmentReadCall, segment_id: SegmentId) -> Response:
    """Read one segment."""

    def work(connection: Connection) -> Answer:
        found = service.get(connection, call.app.id, segment_id)
        return Answer(_document(connection, call.app.id, found))

    return call.answer(work)


@router.put(
    "/{segment_id}",
    response_model=SegmentDocument,
    dependencies=[IF_MATCH],
    responses={**answers(SEGMENT), **problems(401, 403, 404, 412)},
)
def change_segment(call: SegmentWriteCall, segment_id: SegmentId, body: SegmentPayload) -> Response:
    """Change a segment: its next version. What was before stays readable.

    Nothing different makes no version. Messages that are not cut yet follow the change.
    """

    def work(connection: Connection) -> Answer:
        repository.lock(connection, call.app.id)
        present = service.get(connection, call.app.id, segment_id)
        if call.if_match is not None:
            require_match(call.if_match, _document(connection, call.app.id, present))
        by = call.principal.key_public_id
        made = service.change(connection, call.app.id, present, body.to_new(), by)
        if made.version != present.version:
            watching.renew_mentions(connection, call.app.id)
            detail = {"name": made.name, "hash": made.rule_hash, "version": made.version}
            audit.record(connection, call.principal, "segment.changed", made.public_id, detail)
        return Answer(_document(connection, call.app.id, made))

    return call.answer(work)


@router.delete(
    "/{segment_id}",
    status_code=204,
    dependencies=[IF_MATCH],
    responses={204: {"description": "Deleted"}, **problems(401, 403, 404, 409, 412)},
)
def delete_segment(call: SegmentWriteCall, segment_id: SegmentId) -> Response:
    """Delete a segment with its versions, unless a segment or a message to come names it."""

    def work(connection: Connection) -> Answer:
        repository.lock(connection, call.app.id)
        present = service.get(connection, call.app.id, segment_id)
        if call.if_match is not None:
            require_match(call.if_match, _document(connection, call.app.id, present))
        service.delete(connection, call.app.id, present)
        detail = {"name": present.name, "version": present.version}
        audit.record(connection, call.principal, "segment.deleted", present.public_id, detail)
        return Answer(status=204)

    return call.answer(work)


@router.get(
    "/{segment_id}/versions",
    response_model=VersionPage,
    responses={**answers({"next_cursor": None, "data": [VERSION]}), **problems(401, 403, 404)},
)
def list_versions(
    call: SegmentReadCall,
    segment_id: SegmentId,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[str | None, Query(pattern="^[1-9][0-9]{0,8}$")] = None,
) -> Response:
    """List the versions of a segment, newest first."""

    def work(connection: Connection) -> Answer:
        found = service.get(connection, call.app.id, segment_id)
        before = int(cursor) if cursor else None
        rows = repository.versions(
            connection, call.app.id, found.id, before=before, limit=limit + 1
        )
        more = str(rows[limit - 1].version) if len(rows) > limit else None
        data = [to_version(one) for one in rows[:limit]]
        return Answer(VersionPage(data=data, next_cursor=more))

    return call.answer(work)
