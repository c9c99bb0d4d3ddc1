"""Finding devices: by their person, by their token, and what they were sent."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, StringConstraints
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import DeviceWriteCall, MessageReadCall
from api.device_bodies import EXAMPLE, DeviceDocument
from api.device_work import to_document
from api.fields import FIRST_PAGE, Cursor, ExternalId, Limit, Page, Payload
from api.openapi import answers, problems
from api.person_messages import (
    HISTORY_EXAMPLE,
    HistoryCursor,
    PersonMessages,
    cut_page,
    read_cursor,
)
from api.route import DoorRoute
from core.errors import NotFoundError
from delivery.devices import repository, service
from delivery.devices.device import TOKEN_LIMIT
from delivery.messages import history
from delivery.messages.history import HistoryPage
from segments.people import service as people

router = APIRouter(prefix="/v1/devices", tags=["Devices"], route_class=DoorRoute)


class LookupPayload(Payload):
    """A token as a gateway gave it. It stands in the body so that no log ever holds it."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=TOKEN_LIMIT)]

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "9f" * 32}]})


class DevicePage(Page):
    """Devices in the order they were made."""

    data: list[DeviceDocument]


@router.get(
    "",
    response_model=DevicePage,
    responses={**answers({"next_cursor": None, "data": [EXAMPLE]}), **problems(401, 403, 404)},
)
def list_devices(
    call: DeviceWriteCall,
    person: Annotated[ExternalId, Query(description="The id of the person in your system.")],
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List the devices of one person."""

    def work(connection: Connection) -> Answer:
        owner = people.get(connection, call.app.id, person)
        rows = repository.list_of_person(
            connection, call.app.id, owner.id, after=cursor, limit=limit + 1
        )
        data = [to_document(connection, call, device) for device in rows[:limit]]
        return Answer(DevicePage.cut(rows, limit, data=data))

    return call.answer(work)


@router.post(
    "/lookup",
    response_model=DeviceDocument,
    responses={**answers(EXAMPLE), **problems(401, 403, 404)},
)
def look_up(call: DeviceWriteCall, body: LookupPayload) -> Response:
    """Find the device that holds a token. An APNs token may be in any case."""

    def work(connection: Connection) -> Answer:
        device = repository.find_by_token(connection, call.app.id, body.token)
        if device is None:
            raise NotFoundError("No device of this app holds this token.")
        return Answer(to_document(connection, call, device))

    return call.answer(work)


@router.get(
    "/{device_id}/messages",
    response_model=PersonMessages,
    responses={
        **answers({"data": [HISTORY_EXAMPLE], "next_cursor": None}),
        **problems(401, 403, 404),
    },
)
def list_device_messages(
    call: MessageReadCall,
    device_id: Annotated[str, Path(max_length=64, description="The device's id, `dev_…`.")],
    limit: Annotated[Limit, Query()] = 50,
    cursor: HistoryCursor = None,
) -> Response:
    """List what a device was sent and what became of it.

    That is for its present owner, and while it was nobody's; what it was sent for somebody else
    stands with that person.
    """

    def work(connection: Connection) -> Answer:
        device = service.find(connection, call.app.id, device_id)
        wanted = HistoryPage(limit + 1, read_cursor(cursor))
        found = history.of_device(connection, call.app.id, device.id, device.person_id, wanted)
        return Answer(cut_page(connection, call.app.id, found, limit))

    return call.answer(work)
