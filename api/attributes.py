"""Attributes: `/v1/attributes`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import PeopleReadCall, PeopleWriteCall
from api.conditions import IF_MATCH, IF_NONE_MATCH
from api.errors import TooManyAttributesError
from api.etags import require_match
from api.fields import FIRST_PAGE, Cursor, Document, Limit, Page, Payload
from api.openapi import answers, problems, unchanged
from api.route import DoorRoute
from core.errors import NotFoundError
from segments.attributes import repository
from segments.attributes.kinds import NAME_LIMIT, Kind, fits_kind
from segments.attributes.repository import Attribute

router = APIRouter(prefix="/v1/attributes", tags=["Attributes"], route_class=DoorRoute)

_EXAMPLE: dict[str, Any] = {
    "name": "plan",
    "type": "text",
    "on_merge": "newest",
    "people": 9_412,
    "types": {"text": 9_410, "number": 2},
    "mismatched": 2,
    "values": {
        "distinct": 3,
        "is_exact": True,
        "seen": 9_412,
        "examples": ["free", "pro", "team"],
        "at": "2026-03-01T12:00:00Z",
    },
    "created_at": "2026-03-01T11:00:00Z",
    "updated_at": "2026-03-01T11:00:00Z",
}
_Name = Annotated[
    str,
    Path(min_length=1, max_length=NAME_LIMIT, description="The name, as people have it."),
]


class ValuesDocument(Document):
    """What the values are, at the time `at`, from `seen` of them.

    `distinct` is how many different ones there are: counted if `is_exact`, else an estimate from
    a sample of 20,000 people. `examples` are up to five, the most frequent first.
    """

    distinct: int
    is_exact: bool
    seen: int
    examples: list[Any]
    at: datetime


class AttributeDocument(Document):
    """An attribute.

    `people` and `types` are exact at the moment of reading: how many people have it, and how many
    of them a value of each type. `type` is what was declared; `mismatched` counts values of other
    types, which were there before. `values` is null until they are looked at.
    """

    name: str
    type: str | None
    on_merge: str
    people: int
    types: dict[str, int]
    mismatched: int
    values: ValuesDocument | None
    created_at: datetime
    updated_at: datetime


class AttributePage(Page):
    """Attributes in the order in which they came up."""

    data: list[AttributeDocument]


class AttributePayload(Payload):
    """What is declared about an attribute. What is absent stays."""

    type: Literal["text", "number", "boolean", "time", "list", "object"] | None = None
    on_merge: Literal["newest", "keep", "sum", "min", "max"] = "newest"

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "text"}]})


def to_document(one: Attribute) -> AttributeDocument:
    """Return an attribute as the outside sees it."""
    declared = Kind(one.declared) if one.declared else None
    return AttributeDocument(
        name=one.name,
        type=one.declared,
        on_merge=one.on_merge,
        people=sum(one.kinds.values()),
        types=dict(one.kinds),
        mismatched=_mismatched(one.kinds, declared),
        values=_values(one),
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def _mismatched(kinds: Mapping[str, int], declared: Kind | None) -> int:
    if declared is None:
        return 0
    return sum(people for kind, people in kinds.items() if not fits_kind(kind, declared))


def _values(one: Attribute) -> ValuesDocument | None:
    if one.sampled_at is None:
        return None
    return ValuesDocument(
        distinct=one.distinct_values or 0,
        is_exact=bool(one.is_whole),
        seen=one.values_seen or 0,
        examples=list(one.examples or ()),
        at=one.sampled_at,
    )


@router.get(
    "",
    response_model=AttributePage,
    responses={**answers({"next_cursor": None, "data": [_EXAMPLE]}), **problems(401, 403)},
)
def list_attributes(
    call: PeopleReadCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List the attributes people have: names, types, how many have them, and what values."""

    def work(connection: Connection) -> Answer:
        rows = repository.list_after(connection, call.app.id, cursor, limit + 1)
        return Answer(
            AttributePage.cut(rows, limit, data=[to_document(one) for one in rows[:limit]])
        )

    return call.answer(work)


@router.get(
    "/{name:path}",
    response_model=AttributeDocument,
    dependencies=[IF_NONE_MATCH],
    responses={**answers(_EXAMPLE), **unchanged(), **problems(401, 403, 404)},
)
def read_attribute(call: PeopleReadCall, name: _Name) -> Response:
    """Read one attribute."""

    def work(connection: Connection) -> Answer:
        found = repository.find(connection, call.app.id, name)
        if found is None:
            raise NotFoundError
        return Answer(to_document(found))

    return call.answer(work)


@router.put(
    "/{name:path}",
    response_model=AttributeDocument,
    dependencies=[IF_MATCH],
    responses={**answers(_EXAMPLE), **problems(401, 403, 409, 412)},
)
def declare_attribute(call: PeopleWriteCall, name: _Name, body: AttributePayload) -> Response:
    """Declare of which type an attribute is, and which value stays when people are merged.

    Values of other types are refused from then on, with a pointer; those that are there stay and
    are counted as `mismatched`. A `type` of null lets every type come. The name may be new.
    """

    def work(connection: Connection) -> Answer:
        repository.lock_names(connection, call.app.id)
        present = repository.find(connection, call.app.id, name)
        if call.if_match is not None:
            require_match(call.if_match, to_document(present) if present else None)
        limit = call.services.settings.attribute_names_limit
        if present is None and len(repository.list_names(connection, call.app.id)) >= limit:
            raise TooManyAttributesError(f"An app may have {limit} attributes.")
        given = body.model_dump(exclude_unset=True)
        columns = {{"type": "declared"}.get(key, key): value for key, value in given.items()}
        repository.declare(connection, call.app.id, name, columns)
        audit.record(connection, call.principal, "attribute.declared", name, given)
        declared = repository.find(connection, call.app.id, name)
        return Answer(to_document(declared) if declared else None)

    return call.answer(work)
