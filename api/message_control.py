"""Control of messages: change, pause, resume and cancel. Takes effect within a second."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import Call, MessageSendCall
from api.conditions import IF_MATCH, ONCE
from api.etags import require_match
from api.idempotency import run_once
from api.message_document import EXAMPLE, MessageDocument, to_document
from api.message_payload import MessageChange
from api.openapi import answers, problems
from api.route import DoorRoute
from delivery.chunks.sweep_repository import end_idle
from delivery.messages import progress, repository, service
from delivery.messages.message import Message

router = APIRouter(prefix="/v1/messages", tags=["Messages"], route_class=DoorRoute)
_RESPONSES = {**answers(EXAMPLE), **problems(401, 403, 404, 409)}
# Ending more chunks would hold the answer up: the sweep ends the others.
_CHUNKS_AT_ONCE = 20
MessageId = Annotated[str, Path(min_length=1, max_length=64)]
Move = Callable[[Connection, int, str], Message]


@router.patch(
    "/{message_id}",
    response_model=MessageDocument,
    dependencies=[IF_MATCH],
    responses={**_RESPONSES, **problems(412)},
)
def change_message(call: MessageSendCall, message_id: MessageId, body: MessageChange) -> Response:
    """Change `send_at` until sending begins, or `rate_per_second` and `weight` until the end."""
    values = body.model_dump(exclude_unset=True)
    lanes: list[str] = []

    def work(connection: Connection) -> Answer:
        if call.if_match is not None:
            present = repository.find_for_update(connection, call.app.id, message_id)
            require_match(call.if_match, _document(connection, present) if present else None)
        message = service.change(connection, call.app.id, message_id, values)
        lanes[:] = [message.lane]
        audit.record(connection, call.principal, "message.changed", message_id, _plain(values))
        return _answer(connection, message)

    response = call.answer(work)
    for lane in lanes:
        # What waited for its turn at the old rate may be due now.
        call.services.nudger.nudge(lane)
    return response


def _plain(values: dict[str, object]) -> dict[str, object]:
    return {
        key: value if isinstance(value, int | float) else str(value)
        for key, value in values.items()
    }


@router.post(
    "/{message_id}/pause", response_model=MessageDocument, dependencies=[ONCE], responses=_RESPONSES
)
def pause_message(call: MessageSendCall, message_id: MessageId) -> Response:
    """Pause a message. What is on its way still ends; nothing else leaves."""
    return _run(call, message_id, "message.paused", service.pause)


@router.post(
    "/{message_id}/resume",
    response_model=MessageDocument,
    dependencies=[ONCE],
    responses=_RESPONSES,
)
def resume_message(call: MessageSendCall, message_id: MessageId) -> Response:
    """Let a paused message go on where it stopped."""
    moved: list[Message] = []

    def resume(connection: Connection, app_id: int, public_id: str) -> Message:
        moved[:] = [service.resume(connection, app_id, public_id)]
        return moved[0]

    response = _run(call, message_id, "message.resumed", resume)
    for message in moved:
        call.services.nudger.nudge(message.lane)
    return response


@router.post(
    "/{message_id}/cancel",
    response_model=MessageDocument,
    dependencies=[ONCE],
    responses=_RESPONSES,
)
def cancel_message(call: MessageSendCall, message_id: MessageId) -> Response:
    """Cancel a message: what has not left yet ends as `suppressed` with reason `cancelled`."""
    seconds = call.services.settings.lease_seconds

    def cancel(connection: Connection, app_id: int, public_id: str) -> Message:
        message = service.cancel(connection, app_id, public_id)
        end_idle(connection, lease_seconds=seconds, message_id=message.id, limit=_CHUNKS_AT_ONCE)
        repository.finish_done(connection, message.id)
        return service.find(connection, app_id, public_id)

    return _run(call, message_id, "message.cancelled", cancel)


def _run(call: Call, message_id: str, action: str, move: Move) -> Response:
    def work(connection: Connection) -> Answer:
        message = move(connection, call.app.id, message_id)
        audit.record(connection, call.principal, action, message_id, {})
        return _answer(connection, message)

    return run_once(call, work)


def _answer(connection: Connection, message: Message) -> Answer:
    return Answer(_document(connection, message))


def _document(connection: Connection, message: Message) -> MessageDocument:
    return to_document(message, progress.read(connection, message))
