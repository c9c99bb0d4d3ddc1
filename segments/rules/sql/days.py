"""How often and when people did something: by the daily roll-up where it is exact, else by events.

Whole days (UTC) come from the roll-up, the parts of days at both ends of a window from the events.
"""

from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from segments.rules.moments import Span, Window
from segments.rules.node import Events
from segments.rules.sql.binding import bound, text
from segments.rules.sql.sources import Scope, events, events_in, measured
from segments.rules.zones import first_day_from, start_of_day
from segments.tables import event, event_day


@dataclass(frozen=True, slots=True)
class Done:
    """A SELECT of people, once each, and the aggregates of what each did."""

    people: Select[Any]
    times: ColumnElement[Any]
    first_at: ColumnElement[Any]
    last_at: ColumnElement[Any]


def done(scope: Scope, wanted: Events, window: Window) -> Done:
    """Return who did what is meant, how often, and when first and last."""
    days = _days(scope, wanted, window)
    if days is None:
        at = event.c.at
        found = measured(scope, wanted, window)
        return Done(found, sa.func.count(), sa.func.min(at), sa.func.max(at))
    whole = _whole(scope, wanted, days).add_columns(
        sa.cast(event_day.c.events, sa.Integer).label("times"),
        event_day.c.first_at,
        event_day.c.last_at,
    )
    once = sa.literal_column("1", sa.Integer).label("times")
    edges = [
        one.add_columns(once, event.c.at.label("first_at"), event.c.at.label("last_at"))
        for one in _edges(scope, wanted, window, days)
    ]
    rows = sa.union_all(whole, *edges).subquery()
    return Done(
        sa.select(rows.c.person_id).group_by(rows.c.person_id),
        # Of integers: a sum of bigints is numeric, with a state in memory for each person.
        sa.func.sum(rows.c.times),
        sa.func.min(rows.c.first_at),
        sa.func.max(rows.c.last_at),
    )


def doers(scope: Scope, wanted: Events, window: Window) -> Select[Any]:
    """Return who did what is meant, perhaps several times."""
    days = _days(scope, wanted, window)
    if days is None:
        return events(scope, wanted, window)
    parts = (_whole(scope, wanted, days), *_edges(scope, wanted, window, days))
    return sa.select(sa.union_all(*parts).subquery().c.person_id)


def _days(scope: Scope, wanted: Events, window: Window) -> tuple[date | None, date] | None:
    return None if wanted.where else whole_days(window.span(scope.clock))


def whole_days(span: Span) -> tuple[date | None, date] | None:
    """Return the half-open range of the days that a span holds whole; None when it has none."""
    if span.end is None:
        return None
    end = span.end.astimezone(UTC).date()
    if span.start is None:
        return None, end
    start = first_day_from(span.start, UTC)
    return (start, end) if start < end else None


def _whole(scope: Scope, wanted: Events, days: tuple[date | None, date]) -> Select[Any]:
    start, end = days
    found = sa.select(event_day.c.person_id).where(
        event_day.c.app_id == scope.app_id,
        event_day.c.name == text(wanted.name),
        event_day.c.day < bound(end, sa.Date),
    )
    return found if start is None else found.where(event_day.c.day >= bound(start, sa.Date))


def _edges(
    scope: Scope, wanted: Events, window: Window, days: tuple[date | None, date]
) -> list[Select[Any]]:
    span = window.span(scope.clock)
    start, end = days
    spans = [Span(start_of_day(end, UTC), span.end)]
    if start is not None:
        spans.append(Span(span.start, start_of_day(start, UTC)))
    return [events_in(scope, wanted, one) for one in spans]
