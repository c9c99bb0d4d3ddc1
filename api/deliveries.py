"""Deliveries: `/v1/deliveries`. What became of each push, and its steps in plain words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import MessageReadCall
from api.fields import Document, ExternalId, Limit
from api.message_payload import PublicId, Token
from api.openapi import answers, problems
from api.person_messages import HISTORY_EXAMPLE, ReceiptTimes, read_cursor, shown
from api.route import DoorRoute
from core.errors import FieldError, InvalidPayloadError, NotFoundError
from delivery.deliveries import listing
from delivery.deliveries import service as deliveries
from delivery.deliveries.listing import Place
from delivery.deliveries.service import Traced
from delivery.devices import repository as devices
from delivery.messages import history
from delivery.messages import service as messages
from delivery.messages.history import HistoryEntry, HistoryPage
from segments.people import service as people
from segments.people.repository import names_of

router = APIRouter(prefix="/v1/deliveries", tags=["Deliveries"], route_class=DoorRoute)
_CURSOR = r"^((open|posting|device|person)-)?[0-9]{1,18}-[0-9]{1,18}$"
_FILTERS = ("token", "person", "message")
_EXAMPLE = {**HISTORY_EXAMPLE, "person": "ada"}
_TRACE_EXAMPLE: dict[str, Any] = {
    "id": "3eb8fecb-e31d-8de0-8d8f-f928e92c2149",
    "message": "msg_mfrggzdfmztwq2lknnwg23tpoa",
    "message_state": "finished",
    "title": "Hello {{ first_name }}",
    "device": "dev_mfrggzdfmztwq2lknnwg23tpoa",
    "person": "ada",
    "state": "gone",
    "reason": "unregistered",
    "gateway": None,
    "attempt": 1,
    "words": "The app was removed from this device, so the gateway ended its registration.",
    "next_attempt_at": None,
    "steps": [
        {
            "step": "queued",
            "words": "The message was stored, to be sent at 2026-03-01 12:00:00 UTC.",
            "at": "2026-03-01T12:00:00Z",
            "since": None,
        },
        {
            "step": "sent",
            "words": "It was handed to the gateway.",
            "at": "2026-03-01T12:00:02Z",
            "since": "2026-03-01T12:00:01Z",
        },
    ],
}

DeliveryId = Annotated[
    str,
    Path(
        min_length=36,
        max_length=36,
        description="The id of the delivery: also the `apns-id`, and the tag of a notification.",
    ),
]


class DeliveryQuery(BaseModel):
    """Whose deliveries: exactly one of the first three."""

    token: Token | None = Field(default=None, description="A token that a device holds.")
    person: ExternalId | None = Field(default=None, description="The person's id in your system.")
    message: PublicId | None = Field(default=None, description="The message's id, `msg_…`.")
    limit: Limit = 50
    cursor: str | None = Field(default=None, pattern=_CURSOR)


class DeliveryEntry(Document):
    """One recipient of one message; `state` is terminal, or `pending` while it is open."""

    id: str
    message: str
    message_state: str
    title: str | None
    lane: str
    scheduled_at: datetime
    device: str | None
    person: str | None
    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    at: datetime | None
    receipts: ReceiptTimes


class DeliveryEntries(Document):
    """One page; `next_cursor` is null on the last one."""

    data: list[DeliveryEntry]
    next_cursor: str | None = None


class StepDocument(Document):
    """One step. With `since` it happened between that and `at`; without `at` it is not over."""

    step: str
    words: str
    at: datetime | None
    since: datetime | None


class TraceDocument(Document):
    """What happened to one delivery, and in `words` what became of it."""

    id: str
    message: str
    message_state: str
    title: str | None
    device: str | None
    person: str | None
    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    words: str
    next_attempt_at: datetime | None
    steps: list[StepDocument]


@router.get(
    "",
    response_model=DeliveryEntries,
    responses={**answers({"data": [_EXAMPLE], "next_cursor": None}), **problems(401, 403, 404)},
)
def list_all_deliveries(
    call: MessageReadCall, query: Annotated[DeliveryQuery, Query()]
) -> Response:
    """List deliveries of a token, a person or a message: exactly one of them is given.

    Those of a token or a person are the newest first, ended and open. A message's open ones come
    first, then those that ended by device, then people who had none.
    """
    _check_one(query)

    def work(connection: Connection) -> Answer:
        if query.message is not None:
            return Answer(_of_message(connection, call.app.id, query.message, query))
        page = HistoryPage(query.limit + 1, read_cursor(_plain(query.cursor)))
        found = _history(connection, call.app.id, page, query)
        more = len(found) > query.limit
        last = found[query.limit - 1] if more else None
        next_cursor = f"{last.message_id}-{last.device_id}" if last else None
        data = _entries(connection, call.app.id, found[: query.limit])
        return Answer(DeliveryEntries(data=data, next_cursor=next_cursor))

    return call.answer(work)


def _check_one(query: DeliveryQuery) -> None:
    given = [name for name in _FILTERS if getattr(query, name) is not None]
    if len(given) == 1:
        return
    words = "Give exactly one of token, person and message."
    faults = [FieldError(f"query:{name}", "invalid_value", words) for name in given]
    missing = FieldError("query:message", "missing", words)
    raise InvalidPayloadError(words, fields=tuple(faults) or (missing,))


def _history(
    connection: Connection, app_id: int, page: HistoryPage, query: DeliveryQuery
) -> Sequence[HistoryEntry]:
    if query.token is None:
        found = people.get(connection, app_id, query.person or "")
        return history.of_person(connection, app_id, found.id, page)
    device = devices.find_by_token(connection, app_id, query.token)
    if device is None:
        raise NotFoundError("No device of this app holds this token.")
    return history.of_device(connection, app_id, device.id, device.person_id, page)


def _of_message(
    connection: Connection, app_id: int, message_id: str, query: DeliveryQuery
) -> DeliveryEntries:
    message = messages.find(connection, app_id, message_id)
    found = listing.of_message(connection, message, query.limit + 1, _place(query.cursor))
    last = found[query.limit - 1].place if len(found) > query.limit else None
    return DeliveryEntries(
        data=_entries(connection, app_id, [one.entry for one in found[: query.limit]]),
        next_cursor=f"{last.stage}-{last.first}-{last.second}" if last else None,
    )


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    stage, *numbers = cursor.split("-")
    if len(numbers) != 2:
        raise _foreign_cursor()
    return Place(stage, *map(int, numbers))


def _plain(cursor: str | None) -> str | None:
    if cursor is not None and cursor.count("-") != 1:
        raise _foreign_cursor()
    return cursor


def _foreign_cursor() -> InvalidPayloadError:
    words = "This is the cursor of another list. Repeat the filter that gave it."
    return InvalidPayloadError(words, fields=(FieldError("query:cursor", "invalid_value", words),))


def _entries(
    connection: Connection, app_id: int, found: Sequence[HistoryEntry]
) -> list[DeliveryEntry]:
    names = names_of(connection, app_id, {one.person_id for one in found})
    return [
        DeliveryEntry(person=names.get(one.person_id), **fields)
        for one, fields in zip(found, shown(connection, app_id, found), strict=True)
    ]


@router.get(
    "/{delivery_id}/trace",
    response_model=TraceDocument,
    responses={**answers(_TRACE_EXAMPLE), **problems(401, 403, 404)},
)
def read_trace(call: MessageReadCall, delivery_id: DeliveryId) -> Response:
    """Tell what happened to one delivery, step by step in plain words, as long as it is kept.

    What has no moment of its own says between which two moments it was.
    """

    def work(connection: Connection) -> Answer:
        traced = deliveries.read_trace(connection, call.app.id, delivery_id)
        return Answer(_trace(connection, call.app.id, delivery_id.lower(), traced))

    return call.answer(work)


def _trace(connection: Connection, app_id: int, delivery_id: str, traced: Traced) -> TraceDocument:
    message, recipient = traced.message, traced.recipient
    names = names_of(connection, app_id, {recipient.person_id})
    return TraceDocument(
        id=delivery_id,
        message=message.public_id,
        message_state=message.state.value,
        title=message.content.get("title"),
        device=devices.find_public_id(connection, app_id, recipient.device_id),
        person=names.get(recipient.person_id),
        state=recipient.state,
        reason=recipient.reason,
        gateway=recipient.gateway,
        attempt=recipient.attempt,
        words=traced.words,
        next_attempt_at=None if recipient.is_under_way else recipient.due_at,
        steps=[
            StepDocument(step=one.name, words=one.words, at=one.at, since=one.since)
            for one in traced.steps
        ],
    )
