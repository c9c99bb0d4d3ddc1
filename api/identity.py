"""Who is who: `/v1/aliases` and `/v1/identify`."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import ConfigDict
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import PeopleWriteCall
from api.conditions import ONCE
from api.fields import AnonymousId, Document, ExternalId, Payload
from api.idempotency import run_once
from api.merges import MergeDocument, to_document
from api.openapi import answers, problems
from api.route import DoorRoute
from segments.identity import naming
from segments.identity.names import ANONYMOUS
from segments.identity.naming import Outcome
from segments.people import service as people

router = APIRouter(prefix="/v1", tags=["Identity"], route_class=DoorRoute)

_ALIAS: dict[str, Any] = {"person": "customer-1815", "alias": "ada@example.com"}
_IDENTIFY: dict[str, Any] = {"anonymous": "7f3c9a", "person": "customer-1815"}


class AliasPayload(Payload):
    """One more name for a person, who is named by any name."""

    person: ExternalId
    alias: ExternalId

    model_config = ConfigDict(json_schema_extra={"examples": [_ALIAS]})


class AliasDocument(Document):
    """A name, and the own name of the person it leads to."""

    person: str
    alias: str


class IdentifyPayload(Payload):
    """Who somebody is that an app knew by an id of its own making."""

    anonymous: AnonymousId
    person: ExternalId

    model_config = ConfigDict(json_schema_extra={"examples": [_IDENTIFY]})


class IdentifiedDocument(Document):
    """Who it is by their own name, and what that came to.

    `created`: both were new. `aliased`: the anonymous id was new. `named`: the person was
    anonymous, and is called so now. `merged`: both were there, and are one now. `unchanged`.
    """

    person: str
    outcome: str
    merge: MergeDocument | None


@router.post(
    "/aliases",
    response_model=AliasDocument,
    dependencies=[ONCE],
    responses={
        **answers(_ALIAS, description="The name led to this person already"),
        201: {**answers(_ALIAS, status=201, description="New")[201], "model": AliasDocument},
        **problems(401, 403, 409),
    },
)
def add_alias(call: PeopleWriteCall, body: AliasPayload) -> Response:
    """Give a person one more name. Everything that takes a person's id takes an alias, too."""

    def work(connection: Connection) -> Answer:
        outcome = naming.alias(connection, call.app.id, body.person, body.alias)
        person = people.get(connection, call.app.id, body.alias).external_id
        if outcome is Outcome.ALIASED:
            audit.record(connection, call.principal, "alias.added", person, {"alias": body.alias})
        status = 201 if outcome is Outcome.ALIASED else 200
        return Answer(AliasDocument(person=person, alias=body.alias), status=status)

    return run_once(call, work)


@router.delete("/aliases/{alias:path}", status_code=204, responses=problems(401, 403, 404, 409))
def remove_alias(
    call: PeopleWriteCall,
    alias: Annotated[ExternalId, Path(description="A name that is no person's own.")],
) -> Response:
    """Let an alias lead nowhere. What came under it stays with the person.

    A person is never split: names that came by a merge or a sign-in are refused.
    """

    def work(connection: Connection) -> Answer:
        person = naming.remove_alias(connection, call.app.id, alias)
        audit.record(connection, call.principal, "alias.removed", person, {"alias": alias})
        return Answer(status=204)

    return call.answer(work)


@router.post(
    "/identify",
    response_model=IdentifiedDocument,
    dependencies=[ONCE],
    responses={
        **answers({"person": "customer-1815", "outcome": "named", "merge": None}),
        **problems(401, 403, 409),
    },
)
def identify(call: PeopleWriteCall, body: IdentifyPayload) -> Response:
    """Say who somebody anonymous is, as after a sign-in. Safe to repeat.

    Whoever was known already never becomes somebody else this way.
    """

    def work(connection: Connection) -> Answer:
        name = f"{ANONYMOUS}{body.anonymous}"
        made = naming.identify(connection, call.app.id, name, body.person)
        if made.outcome is not Outcome.UNCHANGED:
            detail = {"anonymous": body.anonymous, "outcome": made.outcome.value}
            audit.record(connection, call.principal, "person.identified", made.external_id, detail)
        hours = call.services.settings.merge_undo_hours
        merge = to_document(made.merge, hours) if made.merge else None
        document = IdentifiedDocument(
            person=made.external_id, outcome=made.outcome.value, merge=merge
        )
        return Answer(document)

    return run_once(call, work)
