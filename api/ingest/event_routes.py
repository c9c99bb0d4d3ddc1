"""Events: `POST /v1/events`, single or many."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.answers import json_response, to_json
from api.batches import BATCH_LIMIT
from api.calls import KEY
from api.context import Services
from api.device_work import SECRET_HEADER
from api.devices import DeviceSecret
from api.errors import ForbiddenScopeError
from api.fields import parse_moment
from api.ingest.device_events import Told
from api.ingest.errors import NoConsentError
from api.ingest.event_bodies import (
    BATCH_ANSWER,
    REQUEST_BODY,
    SINGLE_ANSWER,
    EventBatchResult,
    EventResult,
)
from api.ingest.event_reader import Faults, Reading, read_event, skew_of
from api.ingest.hot_route import HotRoute, admitted, shown_claim
from api.ingest.parsing import parse_parts
from api.json_body import pointer_step, printable
from api.openapi import answers, problems
from core.clock import utc_now
from core.errors import FieldError, InvalidPayloadError, NotFoundError
from delivery.devices.service import Claim
from segments.events.event import Fate, NewEvent

router = APIRouter(prefix="/v1/events", tags=["Events"], route_class=HotRoute)

_SCOPE = "events:write"
_LIST = "events"
DEVICE_HEADER = "Carillon-Device"
_DEVICE_ID_LIMIT = 64
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


async def _take_device(
    _device: Annotated[
        str | None,
        Header(
            alias=DEVICE_HEADER,
            max_length=_DEVICE_ID_LIMIT,
            description="The id of the device that sends them, `dev_…`: with a client key.",
        ),
    ] = None,
    _secret: DeviceSecret = None,
) -> None:
    """Document the parameters."""


@router.post(
    "",
    status_code=201,
    response_model=EventResult,
    dependencies=[KEY, Depends(_take_device)],
    openapi_extra={"requestBody": REQUEST_BODY},
    responses={
        **answers(SINGLE_ANSWER, status=201, description="Stored"),
        200: {
            **answers({**SINGLE_ANSWER, "status": "duplicate"}, description="Known before")[200],
            "model": EventResult,
        },
        207: {
            **answers(BATCH_ANSWER, status=207, description="A result for each event")[207],
            "model": EventBatchResult,
        },
        **problems(401, 403, 404, 409),
    },
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
    speaks = _device_of(request)
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


def _device_of(request: Request) -> tuple[str, Claim] | None:
    """Return the device that speaks and what it shows; None when a server does."""
    if request.state.principal.holds(_SCOPE):
        return None
    public_id = request.headers.get(DEVICE_HEADER)
    if not public_id:
        raise ForbiddenScopeError(
            f"This route needs the scope `{_SCOPE}`, or the client key with the headers "
            f"`{DEVICE_HEADER}` and `{SECRET_HEADER}`."
        )
    if len(public_id) > _DEVICE_ID_LIMIT:
        raise NotFoundError
    return public_id, shown_claim(request, is_server=False)


def _read(body: bytes, *, needs_person: bool) -> tuple[_Read, bool]:
    """Return the events of a body and whether it is a batch; raise what fails all of it."""
    now = utc_now()
    if not body:
        raise InvalidPayloadError(fields=(FieldError("", "missing", "A body is due."),))
    fields, items = parse_parts(body, _LIST)
    skew = skew_of(_sent_at(fields), now)
    if items is None:
        made = read_event(fields, Reading(now, skew, needs_uuid=False, needs_person=needs_person))
        if not isinstance(made, NewEvent):
            raise InvalidPayloadError(fields=made)
        return [made], False
    if fields:
        words = "There is no such field here; there are: events, sent_at."
        names = [pointer_step(printable(name)) for name in fields]
        faults = [FieldError(name, "unknown_field", words) for name in names]
        raise InvalidPayloadError(fields=tuple(faults))
    if not 0 < len(items) <= BATCH_LIMIT:
        code = "too_long" if items else "too_short"
        words = f"A batch has 1 to {BATCH_LIMIT} events."
        raise InvalidPayloadError(fields=(FieldError(f"/{_LIST}", code, words),))
    reading = Reading(now, skew, needs_person=needs_person)
    return [read_event(item, reading) for item in items], True


def _sent_at(fields: dict[str, Any]) -> datetime | None:
    if "sent_at" not in fields:
        return None
    given = fields.pop("sent_at")
    try:
        return parse_moment(given)
    except ValueError as error:
        code = "invalid_value" if isinstance(given, str) else "wrong_type"
        raise InvalidPayloadError(fields=(FieldError("/sent_at", code, f"It {error}."),)) from None


def _answer_one(event: NewEvent, fate: Fate) -> Response:
    if fate is Fate.NO_CONSENT:
        raise NoConsentError
    if fate in REFUSED:
        raise InvalidPayloadError(fields=(REFUSED[fate],))
    body = to_json({"uuid": event.uuid, "status": fate.value})
    return json_response(body, 201 if fate is Fate.ACCEPTED else 200, {})


def _answer_all(read: _Read, fates: Sequence[Fate]) -> Response:
    left = iter(fates)
    results = [
        _result(index, one, next(left)) if isinstance(one, NewEvent) else _rejected(index, one)
        for index, one in enumerate(read)
    ]
    counts = Counter(result["status"] for result in results)
    body = {
        "accepted": counts["accepted"],
        "duplicates": counts["duplicate"],
        "rejected": counts["rejected"],
        "results": results,
    }
    return json_response(to_json(body), 207, {})


def _result(index: int, event: NewEvent, fate: Fate) -> dict[str, Any]:
    if fate in REFUSED:
        return _rejected(index, (REFUSED[fate],), event.uuid)
    return {
        "index": index, "status": fate.value, "uuid": event.uuid, "reason": None, "errors": None,
    }  # fmt: skip


def _rejected(index: int, faults: Faults, uuid: str | None = None) -> dict[str, Any]:
    start = f"/{_LIST}/{index}"
    errors = [
        {"pointer": start + one.pointer, "code": one.code, "message": one.message} for one in faults
    ]
    return {
        "index": index, "status": "rejected", "uuid": uuid, "reason": faults[0].code,
        "errors": errors,
    }  # fmt: skip
