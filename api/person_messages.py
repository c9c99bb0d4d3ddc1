"""What a person was sent: `/v1/people/{external_id}/messages`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import MessageReadCall
from api.fields import Document, ExternalId, Limit
from api.openapi import answers, problems
from api.route import DoorRoute
from core.ids import delivery_id, person_delivery_id
from delivery.messages import history
from delivery.messages.history import HistoryEntry, HistoryPage
from delivery.receipts.repository import reached_by
from segments.people import service

router = APIRouter(prefix="/v1/people", tags=["People"], route_class=DoorRoute)
HistoryCursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}-[0-9]{1,18}$")]
HISTORY_EXAMPLE: dict[str, Any] = {
    "id": "3eb8fecb-e31d-8de0-8d8f-f928e92c2149",
    "message": "msg_mfrggzdfmztwq2lknnwg23tpoa",
    "message_state": "finished",
    "title": "Hello {{ first_name }}",
    "lane": "campaign",
    "scheduled_at": "2026-03-01T12:00:00Z",
    "device": "dev_mfrggzdfmztwq2lknnwg23tpoa",
    "state": "suppressed",
    "reason": "no_permission",
    "gateway": None,
    "attempt": 0,
    "at": "2026-03-01T12:00:02Z",
    "receipts": {"confirmed": None, "opened": None},
}


class ReceiptTimes(Document):
    """When the phone says that it arrived, and that it was opened; null if it said nothing."""

    confirmed: datetime | None = None
    opened: datetime | None = None


class PersonMessage(Document):
    """One message at one device of the person; `device` is null when there was none.

    `id` leads to the trace.
    `state` is a terminal state, or `pending` while sending is not over: `reason` then says what
    it waits for.
    """

    id: str
    message: str
    message_state: str
    title: str | None
    lane: str
    scheduled_at: datetime
    device: str | None
    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    at: datetime | None
    receipts: ReceiptTimes


class PersonMessages(Document):
    """What a person was sent, newest first."""

    data: list[PersonMessage]
    next_cursor: str | None = None


def read_cursor(cursor: str | None) -> tuple[int, int] | None:
    """Return the pair (message, device) behind which a page begins."""
    message, _, device = (cursor or "").partition("-")
    return (int(message), int(device)) if cursor else None


def cut_page(
    connection: Connection, app_id: int, found: Sequence[HistoryEntry], limit: int
) -> PersonMessages:
    """Return the page of `found`, which holds one entry more than `limit` if more follow."""
    last = found[limit - 1] if len(found) > limit else None
    return PersonMessages(
        data=[PersonMessage(**fields) for fields in shown(connection, app_id, found[:limit])],
        next_cursor=f"{last.message_id}-{last.device_id}" if last else None,
    )


def id_of(entry: HistoryEntry) -> str:
    """Return the id of a delivery, which leads to its trace."""
    if entry.device_id:
        return delivery_id(entry.message, entry.device_id)
    return person_delivery_id(entry.message, entry.person_id or 0)


def shown(
    connection: Connection, app_id: int, entries: Sequence[HistoryEntry]
) -> list[dict[str, Any]]:
    """Return the fields of a `PersonMessage` for each entry, with what its phone reported."""
    places = [(one.message_id, one.device_id) for one in entries if one.device_id]
    reached = reached_by(connection, app_id, places)
    same = PersonMessage.model_fields.keys() - {"id", "receipts"}
    return [
        {
            "id": id_of(one),
            "receipts": ReceiptTimes(**reached.get((one.message_id, one.device_id), {})),
            **{name: getattr(one, name) for name in same},
        }
        for one in entries
    ]


@router.get(
    "/{external_id:path}/messages",
    response_model=PersonMessages,
    responses={
        **answers({"data": [HISTORY_EXAMPLE], "next_cursor": None}),
        **problems(401, 403, 404),
    },
)
def list_person_messages(
    call: MessageReadCall,
    external_id: Annotated[ExternalId, Path(description="The id of the person in your system.")],
    limit: Annotated[Limit, Query()] = 50,
    cursor: HistoryCursor = None,
) -> Response:
    """List what a person was sent and what became of it at each device, and why."""

    def work(connection: Connection) -> Answer:
        person = service.get(connection, call.app.id, external_id)
        wanted = HistoryPage(limit + 1, read_cursor(cursor))
        found = history.of_person(connection, call.app.id, person.id, wanted)
        return Answer(cut_page(connection, call.app.id, found, limit))

    return call.answer(work)
