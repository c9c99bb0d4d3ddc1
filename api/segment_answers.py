"""What segments and rules say of people: how many, some of them, why, and two together."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import Call, PeopleReadCall, SegmentReadCall
from api.device_documents import unknown_person
from api.fields import Document, ExternalId, Moment
from api.openapi import answers, problems
from api.people import PERSON, PersonDocument
from api.people import to_document as to_person
from api.route import DoorRoute
from api.segment_bodies import (
    EXPLANATION,
    OVERLAP,
    REACH,
    ExplainPayload,
    ExplanationDocument,
    OverlapDocument,
    PlatformDocument,
    ReachDocument,
    RuleThenPayload,
    StepDocument,
    to_finding,
    to_warnings,
)
from api.segments import SegmentId
from core.clock import utc_now
from core.errors import FieldError, InvalidPayloadError, NotFoundError
from segments.definitions import service
from segments.people import repository as people
from segments.people.person import Person
from segments.reach.past import by_today, count_then
from segments.reach.people import explain_person, overlap, sample
from segments.reach.waterfall import count_reach
from segments.rules.mentions import Warned
from segments.rules.moments import Clock
from segments.rules.node import Node
from segments.rules.sql.sources import Scope
from segments.rules.timing import asking

router = APIRouter(prefix="/v1/segments", tags=["Segments"], route_class=DoorRoute)
SAMPLE_SIZE = 20
At = Annotated[Moment | None, Query(description="A past moment; now if left out.")]
_PersonId = Annotated[ExternalId, Path(description="The id of the person in your own system.")]


class SampleDocument(Document):
    """Some of the people, chosen by chance; all of them if they are few."""

    data: list[PersonDocument]


def scope_of(call: Call, at: datetime | None = None) -> Scope:
    """Return whom a rule asks about, and for which moment: now, or a past one."""
    return Scope(call.app.id, Clock(at or utc_now()), is_past=at is not None)


def _reach(
    call: Call, connection: Connection, rule: Node, warned: Sequence[Warned], at: datetime | None
) -> Answer:
    scope = scope_of(call, at)
    with asking(connection, call.services.settings.rule_timeout_seconds):
        if at is not None:
            count = count_then(connection, rule, scope)
            document = ReachDocument(
                people=count,
                deliverable=None,
                waterfall=[StepDocument(step="matched", people=count)],
                platforms=None,
                warnings=to_warnings(warned),
                by_today=list(by_today(rule)),
                at=at,
            )
            return Answer(document)
        found = count_reach(connection, rule, scope)
    document = ReachDocument(
        people=found.matched,
        deliverable=found.deliverable,
        waterfall=[StepDocument(step=name, people=left) for name, left in found.steps.items()],
        platforms={
            name: PlatformDocument.model_validate(one) for name, one in found.platforms.items()
        },
        warnings=to_warnings(warned),
        by_today=[],
        at=scope.clock.now,
    )
    return Answer(document)


def require_kept(call: Call, at: datetime | None, pointer: str) -> None:
    """Raise when no history is kept for a moment, or it has not come yet."""
    days = call.services.settings.person_history_days
    if at is None or utc_now() - timedelta(days=days) <= at <= utc_now():
        return
    words = f"It must lie in the past, up to {days} days back: so long is history kept."
    raise InvalidPayloadError(fields=(FieldError(pointer, "out_of_range", words),))


@router.post(
    "/count",
    response_model=ReachDocument,
    responses={**answers(REACH), **problems(401, 403)},
)
def count_rule(call: SegmentReadCall, body: RuleThenPayload) -> Response:
    """Count exactly whom a rule means, and how many of them can be reached. Nothing is stored."""
    require_kept(call, body.at, "/at")

    def work(connection: Connection) -> Answer:
        rule = service.read_rule(connection, call.app.id, body.rule)
        warned = service.warnings(connection, call.app.id, [body.rule])[0]
        return _reach(call, connection, rule, warned, body.at)

    return call.answer(work)


@router.get(
    "/{segment_id}/count",
    response_model=ReachDocument,
    responses={**answers(REACH), **problems(401, 403, 404)},
)
def count_segment(call: SegmentReadCall, segment_id: SegmentId, at: At = None) -> Response:
    """Count exactly who is in a segment, and how many of them can be reached."""
    require_kept(call, at, "query:at")

    def work(connection: Connection) -> Answer:
        found = service.get(connection, call.app.id, segment_id)
        rule = service.read_rule(connection, call.app.id, found.rule, own=segment_id)
        warned = service.warnings(connection, call.app.id, [found.rule])[0]
        return _reach(call, connection, rule, warned, at)

    return call.answer(work)


def _sample(call: Call, connection: Connection, rule: Node, at: datetime | None) -> Answer:
    with asking(connection, call.services.settings.rule_timeout_seconds):
        found = sample(connection, rule, scope_of(call, at), SAMPLE_SIZE)
    return Answer(SampleDocument(data=[to_person(one) for one in found]))


@router.post(
    "/sample",
    response_model=SampleDocument,
    responses={**answers({"data": [PERSON]}), **problems(401, 403)},
)
def sample_rule(call: PeopleReadCall, body: RuleThenPayload) -> Response:
    """Show up to 20 of the people a rule means, chosen by chance. Nothing is stored."""
    require_kept(call, body.at, "/at")

    def work(connection: Connection) -> Answer:
        rule = service.read_rule(connection, call.app.id, body.rule)
        return _sample(call, connection, rule, body.at)

    return call.answer(work)


@router.get(
    "/{segment_id}/sample",
    response_model=SampleDocument,
    responses={**answers({"data": [PERSON]}), **problems(401, 403, 404)},
)
def sample_segment(call: PeopleReadCall, segment_id: SegmentId, at: At = None) -> Response:
    """Show up to 20 of the people in a segment, chosen by chance."""
    require_kept(call, at, "query:at")

    def work(connection: Connection) -> Answer:
        rule = service.rule_of(connection, call.app.id, segment_id)
        return _sample(call, connection, rule, at)

    return call.answer(work)


def _explain(
    call: Call, connection: Connection, rule: Node, person: Person, at: datetime | None
) -> Answer:
    scope = scope_of(call, at)
    with asking(connection, call.services.settings.rule_timeout_seconds, of_all=False):
        found = explain_person(connection, rule, scope, person)
    document = ExplanationDocument(
        person=person.external_id,
        member=found.holds,
        at=scope.clock.now,
        finding=to_finding(found),
        by_today=list(by_today(rule)) if at is not None else [],
    )
    return Answer(document)


@router.post(
    "/explain",
    response_model=ExplanationDocument,
    responses={**answers(EXPLANATION), **problems(401, 403)},
)
def explain_rule(call: PeopleReadCall, body: ExplainPayload) -> Response:
    """Say whether a rule means a person, and why, node by node. Nothing is stored."""
    require_kept(call, body.at, "/at")

    def work(connection: Connection) -> Answer:
        rule = service.read_rule(connection, call.app.id, body.rule)
        person = people.find(connection, call.app.id, body.person)
        if person is None:
            raise InvalidPayloadError(fields=(unknown_person(),))
        return _explain(call, connection, rule, person, body.at)

    return call.answer(work)


@router.get(
    "/{segment_id}/explain/{external_id:path}",
    response_model=ExplanationDocument,
    responses={**answers(EXPLANATION), **problems(401, 403, 404)},
)
def explain_segment(
    call: PeopleReadCall, segment_id: SegmentId, external_id: _PersonId, at: At = None
) -> Response:
    """Say whether a person is in a segment, and why, node by node."""
    require_kept(call, at, "query:at")

    def work(connection: Connection) -> Answer:
        rule = service.rule_of(connection, call.app.id, segment_id)
        person = people.find(connection, call.app.id, external_id)
        if person is None:
            raise NotFoundError("There is no such person in this app.")
        return _explain(call, connection, rule, person, at)

    return call.answer(work)


@router.get(
    "/{segment_id}/overlap/{other_id}",
    response_model=OverlapDocument,
    responses={**answers(OVERLAP), **problems(401, 403, 404)},
)
def overlap_segments(call: SegmentReadCall, segment_id: SegmentId, other_id: SegmentId) -> Response:
    """Count who is in two segments, and who is in one of them only."""

    def work(connection: Connection) -> Answer:
        first = service.rule_of(connection, call.app.id, segment_id)
        second = service.rule_of(connection, call.app.id, other_id)
        with asking(connection, call.services.settings.rule_timeout_seconds):
            found = overlap(connection, first, second, scope_of(call))
        document = OverlapDocument(
            first=found.first,
            second=found.second,
            both=found.both,
            only_first=found.first - found.both,
            only_second=found.second - found.both,
            either=found.first + found.second - found.both,
        )
        return Answer(document)

    return call.answer(work)
