"""From a rule to one SELECT of the people it holds for, on whole sets.

Negations are carried down to the leaves: then null and false are the same everywhere. Sets are met
by joins that PostgreSQL runs in parallel, and what one of several must meet by one such join with
all of them together; nothing is looked up person by person.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import FromClause, Select

from delivery.tables import app
from segments.rules.building import BUCKETS, UNKNOWN_MILESTONES
from segments.rules.canonical import canonical
from segments.rules.comparing import anniversary
from segments.rules.measuring import bucket_start
from segments.rules.node import (
    All,
    Attribute,
    Bucket,
    Comparison,
    InCountry,
    InSegment,
    Message,
    Near,
    Node,
    Not,
    Person,
    Some,
    children,
)
from segments.rules.sql.binding import Truth, bound, text, texts
from segments.rules.sql.comparisons import (
    ComesAgain,
    Json,
    anniversary_holds,
    is_not,
    json_holds,
    moment_holds,
    text_holds,
)
from segments.rules.sql.places import is_near
from segments.rules.sql.sets import to_set
from segments.rules.sql.sources import Scope
from segments.rules.zones import days_elsewhere
from segments.tables import consent, person

_CONSENTS = {"push_consent": "push", "analytics_consent": "analytics"}


def select_people(rule: Node, scope: Scope) -> Select[int]:
    """Return the SELECT of the inner ids of the people a rule holds for, each once.

    Segments it names must have been resolved (`references.resolve`). All values are bound.
    """
    node = canonical(rule)
    found = to_set(node, scope)
    if found is not None and found.is_once and not found.others and not scope.is_past:
        # Nothing more is asked of them: they need not be looked up.
        return sa.select(found.people.subquery().c.person_id.label("id"))
    return _Compiler(scope).select(node, wanted=True)


class _Compiler:
    """Turns a rule into the WHERE of one SELECT, and keeps the tables it is joined with."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._tables: FromClause = person
        self._consents: dict[str, FromClause] = {}

    def select(self, node: Node, *, wanted: bool) -> Select[int]:
        truth = self._truth(node, wanted=wanted)
        return (
            sa.select(person.c.id)
            .select_from(self._tables)
            .where(person.c.app_id == self._scope.app_id, truth)
        )

    def _truth(self, node: Node, *, wanted: bool) -> Truth:
        """Return what is true, not merely not null, where the node holds as `wanted`."""
        match node:
            case Not():
                return self._truth(node.of, wanted=not wanted)
            case All() | Some():
                return self._group(node, wanted=wanted)
            case InSegment():
                return self._truth(_inside(node), wanted=wanted)
            case _:
                return self._leaf(node, wanted=wanted)

    def _group(self, node: All | Some, *, wanted: bool) -> Truth:
        if isinstance(node, All) is wanted:
            return sa.and_(sa.true(), *(self._truth(one, wanted=wanted) for one in node.of))
        rows = [one for one in node.of if _is_about_row(one, self._scope)]
        sets = [one for one in node.of if not _is_about_row(one, self._scope)]
        either = sa.or_(sa.false(), *(self._truth(one, wanted=wanted) for one in rows))
        if not sets:
            return either
        if isinstance(node, All):
            # Those for whom one does not hold are nearly everybody: the others are fewer to name.
            return ~_is_among([_Compiler(self._scope).select(node, wanted=True)])
        people = [self._people(one, wanted=wanted) for one in sets]
        if rows:
            own = type(node)(of=tuple(rows))
            people.append(self._people(own, wanted=wanted))
        return _is_among(people)

    def _people(self, node: Node, *, wanted: bool) -> Select[Any]:
        """Return the people for whom a node holds as `wanted`, perhaps more than once."""
        found = to_set(node, self._scope)
        if found is not None and found.others is not wanted:
            return found.people
        return _Compiler(self._scope).select(node, wanted=wanted)

    def _leaf(self, node: Node, *, wanted: bool) -> Truth:
        if isinstance(node, Message) and _is_unknown(node):
            return sa.false() if wanted else sa.true()
        found = to_set(node, self._scope)
        if found is None:
            truth = self._row(node)
            return truth if wanted else is_not(truth)
        is_among = _is_among([found.people])
        return is_among if found.others is not wanted else ~is_among

    def _row(self, node: Node) -> Truth:  # noqa: PLR0911 (one case for each node)
        match node:
            case Attribute():
                return self._attribute(node)
            case Person(about="created"):
                return moment_holds(node.test, person.c.created_at, self._scope.clock)
            case Person() if node.about in _CONSENTS:
                return self._consent(_CONSENTS[node.about], node.test)
            case Person():
                return text_holds(node.test, person.c[node.about])
            case InCountry():
                return person.c.country == sa.any_(texts(node.countries))
            case Near():
                return is_near(node)
            case Bucket():
                return _bucket(node)
            case _:
                raise TypeError(type(node).__name__)

    def _attribute(self, node: Attribute) -> Truth:
        if node.test.operator == "is_anniversary":
            return _anniversary(node, self._scope)
        value = Json(person.c.attributes, node.path)
        return json_holds(node.test, value, self._scope.clock)

    def _consent(self, kind: str, test: Comparison) -> Truth:
        if kind not in self._consents:
            said = consent.alias()
            on = sa.and_(
                said.c.app_id == self._scope.app_id,
                said.c.person_id == person.c.id,
                said.c.kind == text(kind),
            )
            self._tables = self._tables.outerjoin(said, on)
            self._consents[kind] = said
        default = sa.select(app.c[f"{kind}_by_default"]).where(app.c.id == self._scope.app_id)
        granted = sa.func.coalesce(self._consents[kind].c.granted, default.scalar_subquery())
        return granted if test.value else is_not(granted)


def _inside(node: InSegment) -> Node:
    if node.rule is None:
        raise ValueError(f"the segment {node.segment} was not resolved")
    return canonical(node.rule)


def _is_unknown(node: Message) -> bool:
    return node.milestone in UNKNOWN_MILESTONES or node.campaign is not None


def _is_about_row(node: Node, scope: Scope) -> bool:
    """Tell whether a node looks at nothing but the person's own row."""
    match node:
        case InSegment():
            return _is_about_row(_inside(node), scope)
        case Message() if _is_unknown(node):
            return True
        case All() | Some() | Not():
            return all(_is_about_row(one, scope) for one in children(node))
        case _:
            return to_set(node, scope) is None


def _is_among(people: Sequence[Select[Any]]) -> Truth:
    """Tell whether a person is among those of one of the selects: a join of whole sets."""
    listed = people[0].subquery() if len(people) == 1 else sa.union_all(*people).subquery()
    (person_id,) = listed.c
    return (
        sa.select(sa.literal_column("1"))
        .select_from(listed)
        .where(person_id == person.c.id)
        .exists()
    )


def _anniversary(node: Attribute, scope: Scope) -> Truth:
    shift = timedelta(days=node.test.value)
    clock = scope.clock
    elsewhere: list[tuple[Truth, ComesAgain]] = [
        (person.c.time_zone == sa.any_(texts(zones)), anniversary(day + shift))
        for day, zones in days_elsewhere(clock.now, clock.zone).items()
    ]
    today = clock.now.astimezone(clock.zone).date()
    value = Json(person.c.attributes, node.path)
    return anniversary_holds(value, elsewhere, anniversary(today + shift))


def _bucket(node: Bucket) -> Truth:
    """Tell whether the hash is among those of the parts: bytes are ordered as numbers are."""
    named = text(f"{node.salt}:").op("||")(person.c.external_id)
    digest = sa.func.sha256(sa.func.convert_to(named, "UTF8"))
    bounds: list[Truth] = []
    if node.first > 0:
        bounds.append(digest >= bound(bucket_start(node.first), sa.LargeBinary))
    if node.last < BUCKETS - 1:
        bounds.append(digest < bound(bucket_start(node.last + 1), sa.LargeBinary))
    return sa.and_(*bounds) if bounds else sa.true()
