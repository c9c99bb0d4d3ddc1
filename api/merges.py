"""Merges of people: `/v1/merges`."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import Call, PeopleReadCall, PeopleWriteCall
from api.conditions import IF_NONE_MATCH, ONCE
from api.fields import FIRST_PAGE, Cursor, Document, ExternalId, Limit, Page, Payload
from api.idempotency import run_once
from api.openapi import answers, problems, unchanged
from api.route import DoorRoute
from segments.identity import merges, merging
from segments.identity.merge import Merge
from segments.people import service as people

router = APIRouter(prefix="/v1/merges", tags=["Identity"], route_class=DoorRoute)

EXAMPLE: dict[str, Any] = {
    "id": "mrg_mfrggzdfmztwq2lknnwg23tpoa",
    "into": "customer-1815",
    "from": "customer-1843",
    "names": ["customer-1843"],
    "moved": {"devices": 1, "events": 12, "consents": 1},
    "changed": {"plan": {"before": "free", "after": "pro"}},
    "merged_at": "2026-03-01T12:00:00Z",
    "undo_until": "2026-03-02T12:00:00Z",
    "undone_at": None,
}
_Id = Annotated[str, Path(alias="merge_id", max_length=64, description="Its id, `mrg_…`.")]


class MergePayload(Payload):
    """Who stays (`into`), and who becomes the same person (`from`), each by any name."""

    into: ExternalId
    other: Annotated[ExternalId, Field(alias="from")]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"into": "customer-1815", "from": "customer-1843"}]}
    )


class ValueChange(Document):
    """A value before and after; null: there was none."""

    before: Any
    after: Any


class MergeDocument(Document):
    """A merge. `names` lead to the other person since; `changed` are attributes of who stayed.

    Until `undo_until` it can be undone.
    """

    id: str
    into: str
    other: Annotated[str, Field(serialization_alias="from")]
    names: list[str]
    moved: dict[str, int]
    changed: dict[str, ValueChange]
    merged_at: datetime
    undo_until: datetime
    undone_at: datetime | None


class MergePage(Page):
    """The merges of one person, newest first."""

    data: list[MergeDocument]


def to_document(one: Merge, hours: int) -> MergeDocument:
    """Return a merge as the outside sees it."""
    names = sorted(one.before.keys() | one.after.keys())
    return MergeDocument(
        id=one.public_id,
        into=one.into_external_id,
        other=one.from_external_id,
        names=list(one.names),
        moved=dict(one.counts),
        changed={
            name: ValueChange(before=one.before.get(name), after=one.after.get(name))
            for name in names
        },
        merged_at=one.merged_at,
        undo_until=one.undo_until(hours),
        undone_at=one.undone_at,
    )


def _document(call: Call, one: Merge) -> MergeDocument:
    return to_document(one, call.services.settings.merge_undo_hours)


@router.post(
    "",
    response_model=MergeDocument,
    dependencies=[ONCE],
    responses={
        **answers(EXAMPLE, description="They are one person by this merge already"),
        201: {**answers(EXAMPLE, status=201, description="Merged")[201], "model": MergeDocument},
        **problems(401, 403, 409),
    },
)
def merge(call: PeopleWriteCall, body: MergePayload) -> Response:
    """Make one person of two: devices, events, consents and names move to the one who stays.

    What both were sent is found with the one who stays. Where both have a value of an attribute,
    its `on_merge` decides. Repeated, in either direction, it answers the merge that was made.
    """

    def work(connection: Connection) -> Answer:
        made = merging.merge(connection, call.app.id, body.into, body.other)
        if made.is_new:
            detail = {"from": made.merge.from_external_id, "merge": made.merge.public_id}
            into = made.merge.into_external_id
            audit.record(connection, call.principal, "person.merged", into, detail)
        return Answer(_document(call, made.merge), status=201 if made.is_new else 200)

    return run_once(call, work)


@router.get(
    "",
    response_model=MergePage,
    responses={**answers({"next_cursor": None, "data": [EXAMPLE]}), **problems(401, 403, 404)},
)
def list_merges(
    call: PeopleReadCall,
    person: Annotated[ExternalId, Query(description="Who stayed, by any name.")],
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List the merges into one person, newest first, with those that were undone."""

    def work(connection: Connection) -> Answer:
        owner = people.get(connection, call.app.id, person)
        rows = merges.list_of_person(
            connection, call.app.id, owner.id, before=cursor or None, limit=limit + 1
        )
        return Answer(
            MergePage.cut(rows, limit, data=[_document(call, one) for one in rows[:limit]])
        )

    return call.answer(work)


@router.get(
    "/{merge_id}",
    response_model=MergeDocument,
    dependencies=[IF_NONE_MATCH],
    responses={**answers(EXAMPLE), **unchanged(), **problems(401, 403, 404)},
)
def read_merge(call: PeopleReadCall, merge_id: _Id) -> Response:
    """Read one merge."""
    return call.answer(
        lambda connection: Answer(_document(call, merging.find(connection, call.app.id, merge_id)))
    )


@router.post(
    "/{merge_id}/undo",
    response_model=MergeDocument,
    responses={**answers(EXAMPLE), **problems(401, 403, 404, 409)},
)
def undo_merge(call: PeopleWriteCall, merge_id: _Id) -> Response:
    """Make two people of one again, as they were. Safe to repeat.

    What came or changed since the merge stays with the one who stayed. The latest merge of a
    person is undone first.
    """

    def work(connection: Connection) -> Answer:
        hours = call.services.settings.merge_undo_hours
        before = merging.find(connection, call.app.id, merge_id)
        undone = merging.undo(connection, call.app.id, merge_id, hours=hours)
        if before.undone_at is None:
            detail = {"from": undone.from_external_id, "merge": undone.public_id}
            into = undone.into_external_id
            audit.record(connection, call.principal, "person.merge_undone", into, detail)
        return Answer(_document(call, undone))

    return call.answer(work)
