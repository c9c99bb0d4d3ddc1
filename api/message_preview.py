"""Before a message is sent: how it looks and how many would get it. Nothing is stored."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter
from pydantic import ConfigDict, Field, model_validator
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.batches import FieldProblem
from api.calls import Call, MessageSendCall
from api.device_documents import unknown_person
from api.errors import ForbiddenScopeError
from api.fields import Document, ExternalId, Payload
from api.message_payload import (
    Content,
    DeviceList,
    Exclusion,
    PeopleList,
    PublicId,
    check_one,
    describe_one,
    rule_seconds,
    whom,
)
from api.openapi import answers, problems
from api.route import DoorRoute
from campaigns import audience
from campaigns.preview import Preview, preview
from core.clock import utc_now
from core.errors import InvalidPayloadError
from segments.people import repository as people
from segments.people.person import Person
from segments.rules.timing import asking

router = APIRouter(prefix="/v1/messages", tags=["Messages"], route_class=DoorRoute)
_REQUEST: dict[str, Any] = {
    "content": {"title": "Hello {{ first_name }}", "body": "Your order is on its way."},
    "attributes": {"first_name": "Ada"},
}
_ANDROID: dict[str, Any] = {
    "notification": {
        "title": "Hello Ada",
        "body": "Your order is on its way.",
        "subtitle": None,
        "image": None,
        "sound": None,
        "badge": None,
        "deep_link": None,
        "data": {},
        "silent": False,
    },
    "sizes": [{"gateway": "fcm", "bytes": 102, "limit_bytes": 4_096}],
    "errors": [],
    "skipped": None,
}
_IOS = {**_ANDROID, "sizes": [{"gateway": "apns", "bytes": 144, "limit_bytes": 4_096}]}
_PREVIEW = {"person": None, "ios": _IOS, "android": _ANDROID, "web": _ANDROID}
_COUNT = {"recipients": 3_000, "sendable": 2_950, "suppressed": {"no_permission": 50}}


class PreviewPayload(Payload):
    """Content, and whom to render it for: a person of the app, or made-up attributes."""

    content: Content
    person: ExternalId | None = None
    attributes: Annotated[dict[str, Any], Field(max_length=1_000)] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [_REQUEST]})

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.person is not None and self.attributes is not None:
            raise ValueError("give a person or attributes, not both")
        return self


class NotificationDocument(Document):
    """What a device would get, with the overrides of its platform."""

    title: str | None
    body: str | None
    subtitle: str | None
    image: str | None
    sound: str | None
    badge: int | None
    deep_link: str | None
    data: dict[str, str]
    silent: bool


class SizeDocument(Document):
    """What a gateway counts, and what it allows."""

    gateway: str
    bytes: int
    limit_bytes: int


class PlatformPreview(Document):
    """One platform. Without a notification, `errors` or `skipped` say why there is none."""

    notification: NotificationDocument | None
    sizes: list[SizeDocument]
    errors: list[FieldProblem]
    skipped: str | None


class PreviewDocument(Document):
    """The message on each platform; `person` is whom it was rendered for."""

    person: str | None
    ios: PlatformPreview
    android: PlatformPreview
    web: PlatformPreview


class CountedAudience(Payload):
    """Whom to count: exactly one of people, devices, segment and all."""

    people: PeopleList | None = None
    devices: DeviceList | None = None
    segment: PublicId | None = None
    all: Literal[True] | None = None

    model_config = ConfigDict(json_schema_extra=describe_one)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        check_one(self, "name exactly one of people, devices, segment and all")
        return self


class CountPayload(Payload):
    """An audience to count."""

    to: CountedAudience
    exclude: Exclusion | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"to": {"all": True}}]})


class CountDocument(Document):
    """`recipients` is what a message would target now: `sendable` and all `suppressed`."""

    recipients: int
    sendable: int
    suppressed: dict[str, int]


@router.post(
    "/preview",
    response_model=PreviewDocument,
    responses={**answers(_PREVIEW), **problems(401, 403)},
)
def preview_message(call: MessageSendCall, body: PreviewPayload) -> Response:
    """Render content for one person on each platform, and weigh it. Nothing is stored.

    With `person` the key also needs the scope `people:read`.
    """
    if body.person is not None and not call.principal.holds("people:read"):
        raise ForbiddenScopeError("A preview for a person needs the scope `people:read`.")
    content = body.content.model_dump(exclude_none=True)

    def work(connection: Connection) -> Answer:
        found = preview(content, _person(connection, call, body), utc_now())
        platforms = {one.platform: _to_document(one) for one in found}
        return Answer(PreviewDocument(person=body.person, **platforms))

    return call.answer(work)


@router.post(
    "/count",
    response_model=CountDocument,
    responses={**answers(_COUNT), **problems(401, 403)},
)
def count_audience(call: MessageSendCall, body: CountPayload) -> Response:
    """Count exactly whom a message would target if it were cut now. Nothing is stored."""

    def work(connection: Connection) -> Answer:
        to = whom(body.to, body.exclude)
        seconds = rule_seconds(to, call.services.settings.rule_timeout_seconds)
        with asking(connection, seconds, of_all=False):
            found = audience.count(connection, call.app.id, to)
        suppressed = {reason: number for reason, number in found.items() if reason is not None}
        return Answer(
            CountDocument(
                recipients=sum(found.values()),
                sendable=found.get(None, 0),
                suppressed=suppressed,
            )
        )

    return call.answer(work)


def _person(connection: Connection, call: Call, body: PreviewPayload) -> Person | None:
    if body.person is None:
        now = utc_now()
        return Person(0, "", body.attributes or {}, None, None, None, now, now)
    found = people.find(connection, call.app.id, body.person)
    if found is None:
        raise InvalidPayloadError(fields=(unknown_person(),))
    return found


def _to_document(one: Preview) -> PlatformPreview:
    shown = one.notification
    return PlatformPreview(
        notification=NotificationDocument.model_validate(shown) if shown else None,
        sizes=[SizeDocument.model_validate(weight) for weight in one.weights],
        errors=[
            FieldProblem(pointer=fault.pointer, code=fault.code, message=fault.message)
            for fault in one.faults
        ],
        skipped=one.skipped,
    )
