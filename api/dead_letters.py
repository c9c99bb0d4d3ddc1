"""Dead letters: `/v1/dead-letters`. Who was not reached and why, and sending to them again."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import MessageReadCall, MessageSendCall
from api.conditions import ONCE
from api.fields import Document, Moment, Payload, describe_without_null
from api.idempotency import run_once
from api.message_document import EXAMPLE, MessageDocument, to_document
from api.message_payload import PublicId
from api.openapi import answers, problems
from api.route import DoorRoute
from campaigns import replaying
from delivery.dead_letters import repository
from delivery.dead_letters.dead_letter import DeadLetterFilter
from delivery.messages import progress, service
from delivery.messages.message import Message

router = APIRouter(prefix="/v1/dead-letters", tags=["Dead letters"], route_class=DoorRoute)
DeadState = Literal["gone", "rejected", "expired", "unknown"]
Provider = Literal["fcm", "apns"]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_NARROWING = ("state", "reason", "provider", "since", "until")
_GROUP_EXAMPLE = {
    "state": "rejected",
    "reason": "retries_exhausted",
    "recipients": 120,
    "messages": 1,
    "first_at": "2026-03-01T12:00:02Z",
    "last_at": "2026-03-01T12:58:40Z",
}
_REPLAY_EXAMPLE: dict[str, Any] = {
    **EXAMPLE,
    "id": "msg_pbsxgyltnzsw4zdjnztsa2lomq",
    "replay_of": "msg_mfrggzdfmztwq2lknnwg23tpoa",
    "targeted": 120,
    "counts": dict.fromkeys(EXAMPLE["counts"], 0),
    "reasons": {},
    "open": 120,
    "waiting": [],
}


class DeadLetterGroupDocument(Document):
    """Dead letters of one state and reason, of `messages` messages, ended between both times."""

    state: str
    reason: str | None
    recipients: int
    messages: int
    first_at: datetime
    last_at: datetime


class DeadLetters(Document):
    """Dead letters by state and reason, the most first; `recipients` is their sum."""

    recipients: int
    data: list[DeadLetterGroupDocument]


class DeadLetterQuery(BaseModel):
    """Which dead letters to count; each field narrows."""

    message: PublicId | None = Field(default=None, description="The message's id, `msg_…`.")
    state: DeadState | None = None
    reason: Reason | None = None
    provider: Provider | None = Field(default=None, description="Of the device, as it is now.")
    since: Moment | None = Field(default=None, description="When they ended, at the earliest.")
    until: Moment | None = Field(default=None, description="They ended before this.")


def _describe(schema: dict[str, Any]) -> None:
    body = {"message": "msg_mfrggzdfmztwq2lknnwg23tpoa", "reason": "retries_exhausted"}
    schema["examples"] = [body]
    describe_without_null(schema, *_NARROWING)


class ReplayPayload(Payload):
    """Which dead letters of which message to send to again; each further field narrows."""

    message: PublicId
    state: DeadState | None = None
    reason: Reason | None = None
    provider: Provider | None = None
    since: Moment | None = None
    until: Moment | None = None

    model_config = ConfigDict(json_schema_extra=_describe)

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        for name in self.model_fields_set:
            if getattr(self, name) is None:
                raise ValueError(f"leave {name} out, or give it a value")
        return self


def narrowed(given: DeadLetterQuery | ReplayPayload) -> dict[str, Any]:
    """Return what narrows beside the message."""
    return {name: getattr(given, name) for name in _NARROWING}


@router.get(
    "",
    response_model=DeadLetters,
    responses={
        **answers({"recipients": 120, "data": [_GROUP_EXAMPLE]}),
        **problems(401, 403, 404),
    },
)
def list_dead_letters(
    call: MessageReadCall, query: Annotated[DeadLetterQuery, Query()]
) -> Response:
    """Count the recipients that ended gone, rejected, expired or unknown, by state and reason.

    Suppressed ones are no dead letters: the reason not to send to them still holds.
    """

    def work(connection: Connection) -> Answer:
        message = query.message
        found = service.find(connection, call.app.id, message) if message else None
        wanted = DeadLetterFilter(message_id=found.id if found else None, **narrowed(query))
        groups = repository.count_groups(connection, call.app.id, wanted)
        data = [DeadLetterGroupDocument.model_validate(group) for group in groups]
        return Answer(DeadLetters(recipients=sum(one.recipients for one in groups), data=data))

    return call.answer(work)


@router.post(
    "/replay",
    status_code=202,
    response_model=MessageDocument,
    dependencies=[ONCE],
    responses={**answers(_REPLAY_EXAMPLE, status=202), **problems(401, 403, 404, 409, 422)},
)
def replay_dead_letters(call: MessageSendCall, body: ReplayPayload) -> Response:
    """Send a message again to its dead letters, as a new message with `replay_of`.

    Content, policy and all else are those of the message, which must have ended. Whom an earlier
    replay sent it to, or whose device has another owner now, is left out.
    """
    planned: list[Message] = []

    def work(connection: Connection) -> Answer:
        found = service.find(connection, call.app.id, body.message)
        wanted = DeadLetterFilter(message_id=found.id, **narrowed(body))
        size = call.services.settings.chunk_size
        made = replaying.replay(connection, call.app.id, body.message, wanted, size)
        planned[:] = [made]
        detail = body.model_dump(mode="json", exclude_none=True)
        audit.record(connection, call.principal, "message.replayed", made.public_id, detail)
        return Answer(to_document(made, progress.read(connection, made)), status=202)

    response = run_once(call, work)
    for message in planned:
        call.services.nudger.nudge(message.lane)
    return response
