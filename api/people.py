"""People: `/v1/people`."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.batches import BATCH_LIMIT, BatchDocument, Done, answer_batch, parse_items
from api.calls import Call, PeopleReadCall, PeopleWriteCall
from api.conditions import IF_MATCH, IF_NONE_MATCH, ONCE
from api.consent_bodies import ConsentPayload
from api.etags import require_match
from api.fields import (
    FIRST_PAGE,
    Cursor,
    Document,
    ExternalId,
    Limit,
    Page,
    Payload,
)
from api.idempotency import run_once
from api.openapi import answers, problems, unchanged
from api.places import Country, Locale, TimeZone
from api.route import DoorRoute
from core.errors import FieldError, InvalidPayloadError
from segments.attributes.service import admit
from segments.people import repository, service
from segments.people.person import ATTRIBUTES_LIMIT_BYTES, Person, PersonChange
from segments.people.service import Written

router = APIRouter(prefix="/v1/people", tags=["People"], route_class=DoorRoute)

_CHANGE: dict[str, Any] = {
    "attributes": {"first_name": "Ada", "orders": 3, "coupon": None},
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "country": "GB",
}
PERSON: dict[str, Any] = {
    **_CHANGE,
    "external_id": "customer-1815",
    "attributes": {"first_name": "Ada", "orders": 3},
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
}
_RESULTS = {
    "succeeded": 1,
    "failed": 0,
    "results": [{"index": 0, "status": 201, "id": "customer-1815", "errors": None}],
}
TOO_LARGE = FieldError(
    "/attributes", "too_long", f"All attributes together may have {ATTRIBUTES_LIMIT_BYTES} bytes."
)
_AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
PathId = Annotated[ExternalId, Path(description="The id of the person in your own system.")]


class PersonPayload(Payload):
    """What is known about a person.

    It is merged: fields that are absent stay, null clears. The same holds for each attribute by
    its name; an attribute that is an object is replaced whole.
    """

    attributes: Annotated[dict[_AttributeName, Any], Field(max_length=1_000)] = Field(
        default_factory=dict
    )
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    country: Country | None = None
    consents: Annotated[
        # Written out, as the schema of an item stands alone in the one of a batch.
        ConsentPayload, WithJsonSchema(ConsentPayload.model_json_schema())
    ] = ConsentPayload()

    model_config = ConfigDict(json_schema_extra={"examples": [_CHANGE]})


class PersonItem(PersonPayload):
    """A person in a batch."""

    external_id: ExternalId

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"external_id": "customer-1815", **_CHANGE}]}
    )


class PeoplePayload(Payload):
    """Up to 1,000 people."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"people": [{"external_id": "customer-1815", **_CHANGE}]}]}
    )

    people: Annotated[
        list[Any],
        Field(min_length=1, max_length=BATCH_LIMIT),
        WithJsonSchema(
            {
                "type": "array",
                "minItems": 1,
                "maxItems": BATCH_LIMIT,
                "items": PersonItem.model_json_schema(),
            }
        ),
    ]


class PersonDocument(Document):
    """A person."""

    external_id: str
    attributes: dict[str, Any]
    locale: str | None
    time_zone: str | None
    country: str | None
    created_at: datetime
    updated_at: datetime


class PeoplePage(Page):
    """People in the order they were made."""

    data: list[PersonDocument]


def to_document(person: Person) -> PersonDocument:
    """Return a person as the outside sees it."""
    return PersonDocument.model_validate(person)


def to_change(external_id: str, body: PersonPayload) -> PersonChange:
    """Return what `body` wants to change about a person."""
    given = body.model_dump(include={"locale", "time_zone", "country"}, exclude_unset=True)
    consents = body.consents.model_dump(exclude_unset=True)
    return PersonChange(external_id, body.attributes, given, consents)


@router.put(
    "/{external_id:path}",
    response_model=PersonDocument,
    dependencies=[IF_MATCH],
    responses={
        **answers(PERSON),
        201: {
            **answers(PERSON, status=201, description="Created")[201],
            "model": PersonDocument,
        },
        **problems(401, 403, 412),
    },
)
def put_person(call: PeopleWriteCall, external_id: PathId, body: PersonPayload) -> Response:
    """Create a person (201) or merge into one who exists (200)."""

    def work(connection: Connection) -> Answer:
        change = to_change(external_id, body)
        _require_admitted(connection, call, change)
        if call.if_match is not None:
            present = repository.find(connection, call.app.id, external_id, lock=True)
            require_match(call.if_match, to_document(present) if present else None)
        written = service.write(connection, call.app.id, [change])[external_id]
        if written is Written.TOO_LARGE:
            raise InvalidPayloadError(fields=(TOO_LARGE,))
        person = service.get(connection, call.app.id, external_id)
        return Answer(to_document(person), status=201 if written is Written.CREATED else 200)

    return call.answer(work)


def _require_admitted(connection: Connection, call: Call, change: PersonChange) -> None:
    limit = call.services.settings.attribute_names_limit
    faults = admit(connection, call.app.id, {0: change}, names_limit=limit)
    if faults:
        raise InvalidPayloadError(fields=tuple(faults[0]))


@router.post(
    "/batch",
    status_code=207,
    response_model=BatchDocument,
    dependencies=[ONCE],
    responses={**answers(_RESULTS, status=207), **problems(401, 403, 409)},
)
def put_people(call: PeopleWriteCall, body: PeoplePayload) -> Response:
    """Create or merge up to 1,000 people. A bad item never fails the others."""
    parsed = parse_items(PersonItem, body.people)
    changes = {index: to_change(item.external_id, item) for index, item in parsed.items.items()}

    def work(connection: Connection) -> Answer:
        limit = call.services.settings.attribute_names_limit
        refused = admit(connection, call.app.id, changes, names_limit=limit)
        good = {index: change for index, change in changes.items() if index not in refused}
        written = service.write(connection, call.app.id, list(good.values()))
        done: dict[int, Done] = {}
        faults = {**parsed.faults, **refused}
        for index in good:
            item = parsed.items[index]
            if written[item.external_id] is Written.TOO_LARGE:
                faults[index] = [TOO_LARGE]
            else:
                is_new = written[item.external_id] is Written.CREATED
                done[index] = Done(item.external_id, is_new)
        return answer_batch("people", len(body.people), done, faults)

    return run_once(call, work)


@router.get(
    "",
    response_model=PeoplePage,
    responses={**answers({"next_cursor": None, "data": [PERSON]}), **problems(401, 403)},
)
def list_people(
    call: PeopleReadCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List people in the order they were made."""

    def work(connection: Connection) -> Answer:
        rows = repository.list_after(connection, call.app.id, cursor, limit + 1)
        data = [to_document(person) for person in rows[:limit]]
        return Answer(PeoplePage.cut(rows, limit, data=data))

    return call.answer(work)


@router.get(
    "/{external_id:path}",
    response_model=PersonDocument,
    dependencies=[IF_NONE_MATCH],
    responses={**answers(PERSON), **unchanged(), **problems(401, 403, 404)},
)
def read_person(call: PeopleReadCall, external_id: PathId) -> Response:
    """Read one person."""
    return call.answer(
        lambda connection: Answer(to_document(service.get(connection, call.app.id, external_id)))
    )
