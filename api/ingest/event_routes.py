"""Events: `POST /v1/events`, single or many."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.answers import json_response, to_json
from api.calls import KEY
from api.context import Services
from api.ingest.device_events import Told
from api.ingest.errors import NoConsentError
from api.ingest.event_bodies import (
    BATCH_ANSWER,
    REQUEST_BODY,
    SINGLE_ANSWER,
    EventBatchResult,
    EventResult,
)
from api.ingest.event_reader import Faults, Reading, read_event
from api.ingest.hot_route import HotRoute, admitted
from api.ingest.item_schemas import item_answers
from api.ingest.items import answer_items, read_body_of, rejected, stored
from api.ingest.speaking import speaking_device, take_device
from core.errors import FieldError, InvalidPayloadError
from segments.events.event import Fate, NewEvent

router = APIRouter(prefix="/v1/events", tags=["Events"], route_class=HotRoute)

_SCOPE = "events:write"
_LIST = "events"
# A larger body takes so long to read that others would notice.
_LARGE_BYTES = 50_000
REFUSED: Mapping[Fate, FieldError] = {
    Fate.NO_CONSENT: FieldError(
        "", "no_consent", "This person does not allow analytics: it was not stored."
    ),
    Fate.TOO_MANY_NAMES: FieldError(
        "/name", "too_many_names", "The app uses as many names of events as it may."
    ),
    Fate.UNSTORABLE: FieldError("", "unstorable", "PostgreSQL does not take a value in it."),
    Fate.FOREIGN_PERSON: FieldError(
        "", "foreign_person", "A device may only speak for whom it belongs to."
    ),
}
_Read = list[NewEvent | Faults]


@router.post(
    "",
    status_code=201,
    response_model=EventResult,
    dependencies=[KEY, Depends(take_device)],
    openapi_extra={"requestBody": REQUEST_BODY},
    responses=item_answers(SINGLE_ANSWER, BATCH_ANSWER, (EventResult, EventBatchResult), "event"),
)
async def take_events(request: Request) -> Response:
    """Store an event, or up to 1,000: a bad one never fails the others.

    What is answered `accepted` is on disk, exactly once. Send an event again with its `uuid`
    whenever no answer came, or a 503: it is answered `duplicate` if it is known from the last 30
    days. A person nobody knows is made.

    A phone sends with the client key, and with the id and the secret of its device. It speaks
    for the owner of the device: `person` may be absent, and any other is refused as
    `foreign_person`. As long as nobody has signed in there, that is somebody anonymous who is
    called as the device is.
    """
    app = admitted(request, _SCOPE, client=True)
    services: Services = request.app.state.services
    speaks = speaking_device(request, _SCOPE)
    body: bytes = request.state.raw_body
    is_large = len(body) > _LARGE_BYTES
    needs_person = speaks is None
    read, is_batch = (
        await run_in_threadpool(_read, body, needs_person=needs_person)
        if is_large
        else _read(body, needs_person=needs_person)
    )
    good = [one for one in read if isinstance(one, NewEvent)]
    fates: Sequence[Fate] = ()
    if good:
        group, ingest = services.ingest.group, services.ingest
        if speaks is None:
            fates = await group.submit(ingest.events.write, app.id, good, len(body))
        else:
            told = [Told(one, *speaks) for one in good]
            fates = await group.submit(ingest.told.write, app.id, told, len(body))
    return _answer_all(read, fates) if is_batch else _answer_one(good[0], fates[0])


def _read(body: bytes, *, needs_person: bool) -> tuple[_Read, bool]:
    """Return the events of a body and whether it is a batch; raise what fails all of it."""
    given = read_body_of(body, _LIST)
    if given.items is None:
        reading = Reading(given.now, given.skew, needs_uuid=False, needs_person=needs_person)
        made = read_event(given.fields, reading)
        if not isinstance(made, NewEvent):
            raise InvalidPayloadError(fields=made)
        return [made], False
    reading = Reading(given.now, given.skew, needs_person=needs_person)
    return [read_event(item, reading) for item in given.items], True


def _answer_one(event: NewEvent, fate: Fate) -> Response:
    if fate is Fate.NO_CONSENT:
        raise NoConsentError
    if fate in REFUSED:
        raise InvalidPayloadError(fields=(REFUSED[fate],))
    body = to_json({"uuid": event.uuid, "status": fate.value})
    return json_response(body, 201 if fate is Fate.ACCEPTED else 200, {})


def _answer_all(read: _Read, fates: Sequence[Fate]) -> Response:
    left = iter(fates)
    return answer_items(
        [
            _result(index, one, next(left))
            if isinstance(one, NewEvent)
            else rejected(_LIST, index, one, {"uuid": None})
            for index, one in enumerate(read)
        ]
    )


def _result(index: int, event: NewEvent, fate: Fate) -> dict[str, Any]:
    key = {"uuid": event.uuid}
    if fate in REFUSED:
        return rejected(_LIST, index, (REFUSED[fate],), key)
    return stored(index, fate.value, key)
