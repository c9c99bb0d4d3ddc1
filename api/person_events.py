"""What people did: `/v1/people/{external_id}/events`, and `/v1/event-names`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import PeopleReadCall, SegmentReadCall
from api.fields import Document, ExternalId, Limit
from api.openapi import answers, problems
from api.route import DoorRoute
from segments.events import reading
from segments.events.event import NAME_LIMIT
from segments.events.reading import StoredEvent
from segments.people import service

router = APIRouter(prefix="/v1", tags=["Events"], route_class=DoorRoute)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = (datetime.max.replace(tzinfo=UTC), 2**62)
_EVENT: dict[str, Any] = {
    "uuid": "3eb8fecb-e31d-4de0-8d8f-f928e92c2149",
    "name": "purchase",
    "properties": {"amount": 12.5, "currency": "EUR"},
    "at": "2026-03-01T12:00:00Z",
    "received_at": "2026-03-01T12:00:02Z",
}
_NAME = {"name": "purchase", "created_at": "2026-03-01T12:00:00Z"}
# The moment in microseconds since 1970, and the place among those of the same.
_Cursor = Annotated[str | None, Query(pattern=r"^-?[0-9]{1,16}-[0-9]{1,18}$")]
_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
_Name = Annotated[
    str,
    Query(
        max_length=NAME_LIMIT,
        pattern=_NO_CONTROL,
        description="Only events of this name; all if left out.",
    ),
]


class EventDocument(Document):
    """An event: `at` is when it happened, `received_at` when it came."""

    uuid: str
    name: str
    properties: dict[str, Any]
    at: datetime
    received_at: datetime


class EventsPage(Document):
    """What a person did, newest first."""

    data: list[EventDocument]
    next_cursor: str | None = None


class NameDocument(Document):
    """A name that events have, and when the first of them came."""

    name: str
    created_at: datetime


class NamesPage(Document):
    """Names of events in their order; `next_cursor` is the last name of the page."""

    data: list[NameDocument]
    next_cursor: str | None = None


def _before(cursor: str | None) -> tuple[datetime, int]:
    if not cursor:
        return _LAST
    moment, _, place = cursor.rpartition("-")
    return _EPOCH + timedelta(microseconds=int(moment)), int(place)


def _cursor(one: StoredEvent) -> str:
    return f"{(one.at - _EPOCH) // _MICROSECOND}-{one.id}"


@router.get(
    "/people/{external_id:path}/events",
    response_model=EventsPage,
    responses={**answers({"data": [_EVENT], "next_cursor": None}), **problems(401, 403, 404)},
)
def list_person_events(
    call: PeopleReadCall,
    external_id: Annotated[ExternalId, Path(description="The id of the person, or an alias.")],
    name: _Name = "",
    limit: Annotated[Limit, Query()] = 50,
    cursor: _Cursor = None,
) -> Response:
    """List what a person did, newest first, those who were merged into this one included."""

    def work(connection: Connection) -> Answer:
        person = service.get(connection, call.app.id, external_id)
        page = reading.EventsPage(_before(cursor), limit + 1, name)
        found = reading.list_of_person(connection, call.app.id, person.id, page)
        data = [EventDocument.model_validate(one) for one in found[:limit]]
        following = _cursor(found[limit - 1]) if len(found) > limit else None
        return Answer(EventsPage(data=data, next_cursor=following))

    return call.answer(work)


@router.get(
    "/event-names",
    response_model=NamesPage,
    responses={
        **answers({"data": [_NAME], "next_cursor": None}),
        **problems(401, 403),
    },
)
def list_event_names(
    call: SegmentReadCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[str, Query(max_length=NAME_LIMIT, pattern=_NO_CONTROL)] = "",
) -> Response:
    """List the names that events have."""

    def work(connection: Connection) -> Answer:
        found = reading.list_names(connection, call.app.id, after=cursor, limit=limit + 1)
        data = [NameDocument.model_validate(one) for one in found[:limit]]
        following = found[limit - 1].name if len(found) > limit else None
        return Answer(NamesPage(data=data, next_cursor=following))

    return call.answer(work)
