"""Nodes that name people by rows of other tables, as sets: who has such rows, or who has not."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from delivery.tables import device
from segments.rules.comparing import amount_holds, span_of
from segments.rules.node import (
    Comparison,
    Condition,
    Device,
    Event,
    Events,
    Followed,
    Message,
    Node,
    OnList,
    Person,
    Ranking,
    Rfm,
)
from segments.rules.sql import sources
from segments.rules.sql.binding import Truth, bound, number
from segments.rules.sql.comparisons import (
    compare,
    in_span,
    is_not,
    moment_holds,
    text_holds,
)
from segments.rules.sql.days import doers, done, last_done
from segments.rules.sql.messages import sent
from segments.rules.sql.sources import Scope
from segments.rules.sql.versions import version_holds

_AT_LEAST_ONE = (Comparison("at_least", 1),)
_NONE = (Comparison("exactly", 0), Comparison("at_most", 0))


@dataclass(frozen=True, slots=True)
class PeopleSet:
    """The people of a SELECT of `person_id`, where one may be several times; or all others.

    With `is_once` each is there once, and none who is no person of the app.
    """

    people: Select[Any]
    others: bool = False
    is_once: bool = False


def to_set(node: Node, scope: Scope) -> PeopleSet | None:  # noqa: PLR0911 (one case for each node)
    """Return the set of a node; None for a node about the person's own row."""
    match node:
        case Event():
            return _counted(node, scope) if node.measure == "count" else _measured(node, scope)
        case Followed():
            return PeopleSet(sources.followed(scope, node))
        case Device():
            return _device(node, scope)
        case Message():
            span = node.window.span(scope.clock)
            return PeopleSet(sent(scope, node.message, node.milestone, span))
        case OnList():
            return PeopleSet(sources.listed(scope, node.list))
        case Rfm():
            return PeopleSet(_scored(node, scope), is_once=True)
        case Person(about="last_seen"):
            return _last_seen(node.test, scope)
        case Person(about="has_device"):
            return PeopleSet(sources.with_devices(scope), others=not node.test.value)
        case _:
            return None


def _counted(node: Event, scope: Scope) -> PeopleSet:
    # Who did nothing has no rows: if none is enough, those are named whose count is not.
    is_none_enough = amount_holds(node.test, 0)
    if node.test in _AT_LEAST_ONE or node.test in _NONE:
        people, is_once = doers(scope, node.events, node.window)
        return PeopleSet(people, others=is_none_enough, is_once=is_once)
    found = done(scope, node.events, node.window)
    fits = _count_fits(node.test, found.times)
    people = found.where(is_not(fits) if is_none_enough else fits)
    return PeopleSet(people, others=is_none_enough, is_once=True)


def _count_fits(test: Comparison, times: ColumnElement[Any]) -> Truth:
    if test.operator == "between":
        low, high = (bound(value, sa.BigInteger) for value in test.value)
        return times.between(low, high)
    return compare(test.operator, times, bound(test.value, sa.BigInteger))


def _amount_fits(test: Comparison, column: ColumnElement[Any]) -> Truth:
    if test.operator == "between":
        return column.between(number(test.value[0]), number(test.value[1]))
    return compare(test.operator, column, number(test.value))


def _measured(node: Event, scope: Scope) -> PeopleSet:
    if node.amount is None:
        return PeopleSet(_timed(node, scope), is_once=True)
    done_for = sources.amounts(scope, node.events, node.window, node.amount)
    people = sa.select(done_for.c.person_id).group_by(done_for.c.person_id)
    return PeopleSet(people.having(_amount_holds(node, done_for.c.amount)), is_once=True)


def _timed(node: Event, scope: Scope) -> Select[Any]:
    span = span_of(node.test, scope.clock)
    if node.measure == "first":
        found = done(scope, node.events, node.window)
        return found.where(in_span(span, found.first_at))
    found = last_done(scope, node.events, node.window)
    return found.where(in_span(span, found.last_at))


def _amount_holds(node: Event, amount: ColumnElement[Any]) -> Truth:
    test = node.test
    if node.measure != "avg":
        return _amount_fits(test, getattr(sa.func, node.measure)(amount))
    # A quotient would be rounded: the sum is compared with as many times the value.
    total, count = sa.func.sum(amount), sa.func.count(amount)
    if test.operator == "between":
        return total.between(number(test.value[0]) * count, number(test.value[1]) * count)
    return compare(test.operator, total, number(test.value) * count)


def _device(node: Device, scope: Scope) -> PeopleSet:
    if not node.where:
        return PeopleSet(sources.with_devices(scope))
    conditions = [_device_fits(one, scope) for one in node.where]
    if node.every:
        return PeopleSet(sources.with_devices_but_none(scope, is_not(sa.and_(*conditions))))
    if any(one.path == ("provider",) for one in node.where):
        # Whoever has a target of a provider that is not retired is alive.
        return PeopleSet(sources.devices(scope, *conditions))
    return PeopleSet(sources.live_devices(scope, *conditions))


def _device_fits(condition: Condition, scope: Scope) -> Truth:
    name, test = condition.path[0], condition.test
    match name:
        case "provider":
            return sources.has_provider(
                scope, test.value if test.operator == "in" else (test.value,)
            )
        case "last_seen":
            return moment_holds(test, device.c.last_seen_at, scope.clock)
        case "registered":
            return moment_holds(test, device.c.created_at, scope.clock)
        case "app_version" | "os_version":
            return version_holds(scope.app_id, test, device.c[name])
        case _:
            return text_holds(test, device.c[name])


def _last_seen(test: Comparison, scope: Scope) -> PeopleSet:
    seen = sources.seen_devices(scope)
    if test.operator in {"exists", "missing"}:
        return PeopleSet(seen, others=test.operator == "missing")
    span = span_of(test, scope.clock)
    if span.end is None:
        return PeopleSet(seen.where(in_span(span, device.c.last_seen_at)))
    return PeopleSet(sources.last_seen_in(scope, span))


def rank_values(ranking: Ranking, scope: Scope) -> Select[Any]:
    """Return everybody who is ranked, with what they are ranked by as `value`."""
    wanted = Events(name=ranking.event)
    if ranking.amount is None:
        if ranking.measure == "recency":
            found = last_done(scope, wanted, ranking.window)
            return found.people.add_columns(found.last_at.label("value"))
        found = done(scope, wanted, ranking.window)
        return found.people.add_columns(found.times.label("value"))
    done_for = sources.amounts(scope, wanted, ranking.window, ranking.amount)
    total = sa.func.sum(done_for.c.amount)
    people = sa.select(done_for.c.person_id).group_by(done_for.c.person_id)
    return people.add_columns(total.label("value")).having(total.is_not(None))


def _scored(node: Rfm, scope: Scope) -> Select[Any]:
    values = rank_values(node.ranking, scope).subquery()
    below = sa.func.rank().over(order_by=values.c.value) - 1
    score = 1 + below * node.ranking.quantiles // sa.func.count().over()
    scored = sa.select(values.c.person_id, score.label("score")).subquery()
    wanted = bound(list(node.scores), sa.ARRAY(sa.BigInteger))
    return sa.select(scored.c.person_id).where(scored.c.score == sa.any_(wanted))


def rank_bounds(ranking: Ranking, scope: Scope) -> Select[Any]:
    """Return the values above which the scores from 2 on begin, in their order."""
    values = rank_values(ranking, scope).subquery()
    ordered = sa.select(
        values.c.value,
        sa.func.row_number().over(order_by=values.c.value).label("place"),
        sa.func.count().over().label("people"),
    ).subquery()
    step = sa.func.generate_series(1, ranking.quantiles - 1).table_valued("step").render_derived()
    # The last of those who are below: as many as a share of the people, rounded up.
    place = (step.c.step * ordered.c.people + ranking.quantiles - 1) // ranking.quantiles
    return (
        sa.select(ordered.c.value)
        .select_from(ordered.join(step, ordered.c.place == place))
        .order_by(step.c.step)
    )
