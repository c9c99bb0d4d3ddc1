"""Messages: `/v1/messages`. A message is the unit of fan-out, of one recipient or a million."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import MessageReadCall, MessageSendCall
from api.conditions import IF_NONE_MATCH, ONCE
from api.fields import FIRST_PAGE, Cursor, Limit
from api.idempotency import run_once
from api.message_document import (
    DELIVERY_EXAMPLE,
    EXAMPLE,
    DeliveryDocument,
    DeliveryPage,
    MessageDocument,
    MessagePage,
    to_document,
)
from api.message_payload import MessagePayload, PublicId, whom
from api.openapi import answers, problems, unchanged
from api.route import DoorRoute
from campaigns import sending
from delivery.messages import progress, repository, service
from delivery.messages.message import Delivery, Message
from segments.people.repository import names_of

router = APIRouter(prefix="/v1/messages", tags=["Messages"], route_class=DoorRoute)
StateFilter = Literal["accepted", "gone", "rejected", "expired", "unknown", "suppressed"]
_CURSOR = r"^[0-9]{1,18}-[0-9]{1,18}$"


def _document(connection: Connection, message: Message) -> MessageDocument:
    return to_document(message, progress.read(connection, message))


@router.post(
    "",
    status_code=202,
    response_model=MessageDocument,
    dependencies=[ONCE],
    responses={**answers(EXAMPLE, status=202), **problems(401, 403, 409, 422)},
)
def send_message(call: MessageSendCall, body: MessagePayload) -> Response:
    """Accept a message for sending. 202 means that it is stored and will be sent.

    `targeted` is null while a message for everybody, for a segment or for later is not cut yet.
    """
    planned: list[Message] = []

    def work(connection: Connection) -> Answer:
        to = whom(body.to, body.exclude)
        size = call.services.settings.chunk_size
        message = sending.plan(connection, call.app.id, to, body.to_new(), size)
        planned[:] = [message]
        return Answer(_document(connection, message), status=202)

    response = run_once(call, work)
    for message in planned:
        call.services.nudger.nudge(message.lane)
    return response


@router.get(
    "",
    response_model=MessagePage,
    responses={
        **answers({"data": [EXAMPLE], "next_cursor": None}),
        **problems(401, 403, 422),
    },
)
def list_messages(
    call: MessageReadCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List messages, newest first."""

    def work(connection: Connection) -> Answer:
        rows = list(repository.page(connection, call.app.id, limit + 1, cursor or None))
        data = [_document(connection, message) for message in rows[:limit]]
        return Answer(MessagePage.cut(rows, limit, data=data))

    return call.answer(work)


@router.get(
    "/{message_id}",
    response_model=MessageDocument,
    dependencies=[IF_NONE_MATCH],
    responses={**answers(EXAMPLE), **unchanged(), **problems(401, 403, 404)},
)
def read_message(call: MessageReadCall, message_id: PublicId) -> Response:
    """Read a message: its state, counts by terminal state and reason, and what waits for what."""

    def work(connection: Connection) -> Answer:
        message = service.find(connection, call.app.id, message_id)
        return Answer(_document(connection, message))

    return call.answer(work)


@router.get(
    "/{message_id}/deliveries",
    response_model=DeliveryPage,
    responses={
        **answers({"data": [DELIVERY_EXAMPLE], "next_cursor": None}),
        **problems(401, 403, 404),
    },
)
def list_deliveries(
    call: MessageReadCall,
    message_id: PublicId,
    state: Annotated[StateFilter | None, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[str | None, Query(pattern=_CURSOR)] = None,
) -> Response:
    """List what became of the recipients that have ended, filtered by state."""

    def work(connection: Connection) -> Answer:
        message = service.find(connection, call.app.id, message_id)
        device, _, person = (cursor or "0-0").partition("-")
        found = progress.deliveries(
            connection, message, limit=limit + 1, state=state, after=(int(device), int(person))
        )
        last = found[limit - 1] if len(found) > limit else None
        page = DeliveryPage(
            data=_documents(connection, call.app.id, found[:limit]),
            next_cursor=f"{last.device_id or 0}-{last.person_id or 0}" if last else None,
        )
        return Answer(page)

    return call.answer(work)


def _documents(
    connection: Connection, app_id: int, found: Sequence[Delivery]
) -> list[DeliveryDocument]:
    names = names_of(connection, app_id, {one.person_id for one in found})
    same = ("device", "state", "reason", "gateway", "attempt", "at")
    return [
        DeliveryDocument(
            person=names.get(one.person_id),
            **{name: getattr(one, name) for name in same},
        )
        for one in found
    ]
