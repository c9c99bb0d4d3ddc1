"""Watched segments: `/v1/segments/{segment_id}/watch`. Who enters and leaves is told."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import SegmentReadCall, SegmentWriteCall
from api.fields import Document
from api.openapi import answers, problems
from api.route import DoorRoute
from api.segments import SegmentId
from segments.definitions import repository as segments
from segments.definitions import service
from segments.watching import repository
from segments.watching.service import watch

router = APIRouter(prefix="/v1/segments", tags=["Segments"], route_class=DoorRoute)

_WATCH = {
    "watched": True,
    "since": "2026-03-01T12:00:00Z",
    "compared_at": "2026-03-01T12:05:00Z",
    "members": 1815,
}


class WatchDocument(Document):
    """Whether a segment is watched."""

    watched: bool
    since: datetime | None = Field(description="Since when; null if it is not watched.")
    compared_at: datetime | None = Field(
        description="When all members were last compared; null before the first time."
    )
    members: int | None = Field(description="Who is in, as far as it was told.")


def _document(connection: Connection, app_id: int, segment_id: int) -> WatchDocument:
    found = repository.find(connection, app_id, segment_id)
    if found is None:
        return WatchDocument(watched=False, since=None, compared_at=None, members=None)
    compared_at = found.compared_at
    return WatchDocument(
        watched=True, since=found.since, compared_at=compared_at, members=found.members
    )


@router.get(
    "/{segment_id}/watch",
    response_model=WatchDocument,
    responses={**answers(_WATCH), **problems(401, 403, 404)},
)
def read_watch(call: SegmentReadCall, segment_id: SegmentId) -> Response:
    """Tell whether a segment is watched."""

    def work(connection: Connection) -> Answer:
        found = service.get(connection, call.app.id, segment_id)
        return Answer(_document(connection, call.app.id, found.id))

    return call.answer(work)


@router.put(
    "/{segment_id}/watch",
    response_model=WatchDocument,
    responses={**answers(_WATCH), **problems(401, 403, 404, 409)},
)
def watch_segment(call: SegmentWriteCall, segment_id: SegmentId) -> Response:
    """Watch a segment: from its first comparison on, who enters and leaves stands in the outbox."""

    def work(connection: Connection) -> Answer:
        segments.lock(connection, call.app.id)
        found = service.get(connection, call.app.id, segment_id)
        if repository.find(connection, call.app.id, found.id) is None:
            watch(connection, call.app.id, found.id, found.public_id)
            audit.record(connection, call.principal, "segment.watched", found.public_id, {})
        return Answer(_document(connection, call.app.id, found.id))

    return call.answer(work)


@router.delete(
    "/{segment_id}/watch",
    status_code=204,
    responses={204: {"description": "Not watched"}, **problems(401, 403, 404)},
)
def unwatch_segment(call: SegmentWriteCall, segment_id: SegmentId) -> Response:
    """Watch a segment no longer; who is in is forgotten, and nothing more is told."""

    def work(connection: Connection) -> Answer:
        segments.lock(connection, call.app.id)
        found = service.get(connection, call.app.id, segment_id)
        if repository.unwatch(connection, call.app.id, found.id):
            audit.record(connection, call.principal, "segment.unwatched", found.public_id, {})
        return Answer(status=204)

    return call.answer(work)
