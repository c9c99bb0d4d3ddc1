"""Where rules read: the one place that knows which tables hold what was done, sent and registered.

Each function returns a SELECT of `person_id` and what else is asked for. How often and when things
were done over long windows is in `days.py`.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select

from delivery.reach.tables import person_reach
from delivery.tables import device, target
from segments.rules.moments import Clock, Span, Window
from segments.rules.node import Events, Followed
from segments.rules.paths import Path
from segments.rules.sql.binding import Truth, moment, text, texts
from segments.rules.sql.comparisons import Json, in_span, json_holds
from segments.rules.values import AMOUNT_LIMIT
from segments.tables import event, list_member, segment_list

_ONE: ColumnElement[int] = sa.literal_column("1")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which app is asked about, and for which moment.

    With `is_past` people are meant as they were then, not as they are.
    """

    app_id: int
    clock: Clock
    is_past: bool = False


def events(scope: Scope, wanted: Events, window: Window, table: FromClause = event) -> Select[Any]:
    """Return the events that are meant, by person."""
    return events_in(scope, wanted, window.span(scope.clock), table)


def events_in(scope: Scope, wanted: Events, span: Span, table: FromClause = event) -> Select[Any]:
    """Return the events in a span that are meant, by person."""
    return sa.select(table.c.person_id).where(
        table.c.app_id == scope.app_id,
        table.c.name == text(wanted.name),
        in_span(span, table.c.at),
        *(
            json_holds(one.test, Json(table.c.properties, one.path), scope.clock)
            for one in wanted.where
        ),
    )


def _amount(path: Path) -> ColumnElement[Any]:
    """Return the number of an event's property; null for what is none, or beyond the limit."""
    value = Json(event.c.properties, path)
    return sa.case((value.within(-AMOUNT_LIMIT, AMOUNT_LIMIT), value.as_numeric), else_=None)


def amounts(scope: Scope, wanted: Events, window: Window, path: Path) -> FromClause:
    """Return the events that are meant, with `person_id` and their `amount`, ordered by people.

    The offset of none has the amount taken once for each event, by parallel workers, and people put
    together only once, in their order: most did too little for each worker to sum up its own part.
    """
    return (
        events(scope, wanted, window)
        .add_columns(_amount(path).label("amount"))
        .order_by(event.c.person_id)
        .offset(sa.literal_column("0"))
        .subquery()
    )


def ordered(found: FromClause) -> FromClause:
    """Return rows in the order of their people, in which they are grouped without a table of all.

    The planner takes people for few who do much. Most do little: then a table of everybody for
    each worker, and one of these, is slower than to sort. The offset of none keeps the order.
    """
    return sa.select(found).order_by(found.c.person_id).offset(sa.literal_column("0")).subquery()


def followed(scope: Scope, node: Followed) -> Select[Any]:
    """Return the people with a first thing that was followed, or has gone without it."""
    first, then = event.alias(), event.alias()
    length = sa.func.make_interval(0, 0, 0, 0, 0, 0, node.within.span.total_seconds())
    following = events(scope, node.then, Window(), then).where(
        then.c.person_id == first.c.person_id,
        then.c.at > first.c.at,
        then.c.at <= first.c.at + length,
    )
    found = events(scope, node.first, node.window, first)
    if not node.negated:
        return found.where(following.exists())
    is_over = first.c.at <= moment(scope.clock.now - node.within.span)
    return found.where(is_over, ~following.exists())


def live_devices(scope: Scope, *conditions: Truth) -> Select[Any]:
    """Return the devices with a target that has not been retired, by person."""
    return devices(scope, _has_live_target(scope), *conditions)


def devices(scope: Scope, *conditions: Truth) -> Select[Any]:
    """Return the devices that meet all conditions, alive or not, by person."""
    return sa.select(device.c.person_id).where(
        device.c.app_id == scope.app_id, device.c.person_id.is_not(None), *conditions
    )


def with_devices(scope: Scope) -> Select[Any]:
    """Return the people with a live device, each once: as `live_devices`, but kept and counted."""
    return sa.select(person_reach.c.person_id).where(
        person_reach.c.app_id == scope.app_id, person_reach.c.devices > sa.literal_column("0")
    )


def with_devices_but_none(scope: Scope, condition: Truth) -> Select[Any]:
    """Return the people with live devices of which none meets a condition."""
    other = live_devices(scope, condition).subquery()
    is_met = sa.select(_ONE).where(other.c.person_id == person_reach.c.person_id).exists()
    return with_devices(scope).where(~is_met)


def _has_live_target(scope: Scope, *conditions: Truth) -> Truth:
    return (
        sa.select(_ONE)
        .where(
            target.c.app_id == scope.app_id,
            target.c.device_id == device.c.id,
            # Written out, so that the index of such targets is known to fit.
            target.c.state != sa.literal_column("'retired'"),
            *conditions,
        )
        .exists()
    )


def has_provider(scope: Scope, providers: tuple[str, ...]) -> Truth:
    """Tell whether one of a device's live targets is of one of these providers."""
    return _has_live_target(scope, target.c.provider == sa.any_(texts(providers)))


def seen_devices(scope: Scope) -> Select[Any]:
    """Return the devices that were ever seen, alive or not, by person."""
    return devices(scope, device.c.last_seen_at.is_not(None))


def last_seen_in(scope: Scope, span: Span) -> Select[Any]:
    """Return the devices, by person, of people whose last device was seen in a span with an end."""
    later = device.alias()
    is_later = sa.select(_ONE).where(
        later.c.app_id == scope.app_id,
        later.c.person_id == device.c.person_id,
        in_span(Span(start=span.end), later.c.last_seen_at),
    )
    seen = seen_devices(scope).where(in_span(span, device.c.last_seen_at))
    return seen.where(~is_later.exists())


def listed(scope: Scope, public_id: str) -> Select[Any]:
    """Return the people on a static list."""
    this = sa.select(segment_list.c.id).where(
        segment_list.c.app_id == scope.app_id, segment_list.c.public_id == text(public_id)
    )
    return sa.select(list_member.c.person_id).where(
        list_member.c.app_id == scope.app_id, list_member.c.list_id == this.scalar_subquery()
    )
