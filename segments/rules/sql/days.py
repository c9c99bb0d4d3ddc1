"""How often and when people did something: by the roll-ups where they are exact, else by events.

Windows that end now need no days where a total tells enough: "ever", "the last time", "at least
once since". Else whole days (UTC) come from the daily roll-up, the parts of days at both ends of a
window from the events.
"""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from segments.rules.moments import Span, Window
from segments.rules.node import Events
from segments.rules.sql.binding import Truth, bound, text
from segments.rules.sql.comparisons import in_span
from segments.rules.sql.sources import Scope, events, events_in, ordered
from segments.rules.zones import first_day_from, start_of_day
from segments.tables import event, event_day, event_total

# Shorter windows have fewer days than there are people who ever did it.
_LONG = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Done:
    """A SELECT of people, once each, and what each did: columns, or aggregates of rows."""

    people: Select[Any]
    times: ColumnElement[Any]
    first_at: ColumnElement[Any]
    last_at: ColumnElement[Any]
    is_grouped: bool = True

    def where(self, condition: Truth) -> Select[Any]:
        """Return the people whose figures meet a condition."""
        return self.people.having(condition) if self.is_grouped else self.people.where(condition)


def done(scope: Scope, wanted: Events, window: Window) -> Done:
    """Return who did what is meant, how often, and when first and last."""
    span = window.span(scope.clock)
    if span.start is None and _ends_now(scope, wanted, window):
        return _in_all(scope, wanted, span)
    return _by_days(scope, wanted, window)


def last_done(scope: Scope, wanted: Events, window: Window) -> Done:
    """Return who did what is meant, and when last; the rest may be of all they ever did."""
    if _ends_now(scope, wanted, window):
        return _in_all(scope, wanted, window.span(scope.clock))
    return _by_days(scope, wanted, window)


def doers(scope: Scope, wanted: Events, window: Window) -> tuple[Select[Any], bool]:
    """Return who did what is meant, and whether each is there once and not several times."""
    span = window.span(scope.clock)
    is_long = span.start is None or scope.clock.now - span.start >= _LONG
    if is_long and _ends_now(scope, wanted, window):
        return _in_all(scope, wanted, span).people, True
    days = _days(scope, wanted, window)
    if days is None:
        return events(scope, wanted, window), False
    parts = (_whole(scope, wanted, days), *_edges(scope, wanted, window, days))
    return sa.select(sa.union_all(*parts).subquery().c.person_id), False


def _ends_now(scope: Scope, wanted: Events, window: Window) -> bool:
    """Tell whether the last time of nearly everybody, of all there are, is before the end."""
    return window.until is None and not wanted.where and not scope.is_past


def _in_all(scope: Scope, wanted: Events, span: Span) -> Done:
    """Return by their totals whose last time was in a span that ends now.

    Few did, by their own clock, something in the future: their events before it are counted.
    """
    total = event_total
    whole = sa.select(
        total.c.person_id,
        total.c.events.label("times"),
        total.c.first_at,
        total.c.last_at,
    ).where(
        total.c.app_id == scope.app_id,
        total.c.name == text(wanted.name),
        in_span(span, total.c.last_at),
    )
    later = events_in(scope, wanted, Span(start=span.end)).distinct().scalar_subquery()
    at = event.c.at
    others = (
        events_in(scope, wanted, span)
        .where(event.c.person_id == sa.any_(sa.func.array(later)))
        .add_columns(
            sa.func.count().label("times"),
            sa.func.min(at).label("first_at"),
            sa.func.max(at).label("last_at"),
        )
        .group_by(event.c.person_id)
    )
    found = sa.union_all(whole, others).subquery()
    people = sa.select(found.c.person_id)
    return Done(people, found.c.times, found.c.first_at, found.c.last_at, is_grouped=False)


def _by_days(scope: Scope, wanted: Events, window: Window) -> Done:
    days = _days(scope, wanted, window)
    at = event.c.at
    once = sa.literal_column("1", sa.Integer).label("times")
    if days is None:
        found = events(scope, wanted, window)
        return _grouped(found.add_columns(once, at.label("first_at"), at.label("last_at")))
    whole = _whole(scope, wanted, days).add_columns(
        sa.cast(event_day.c.events, sa.Integer).label("times"),
        event_day.c.first_at,
        event_day.c.last_at,
    )
    edges = [
        one.add_columns(once, at.label("first_at"), at.label("last_at"))
        for one in _edges(scope, wanted, window, days)
    ]
    return _grouped(sa.union_all(whole, *edges))


def _grouped(parts: Any) -> Done:
    found = ordered(parts.subquery())
    return Done(
        sa.select(found.c.person_id).group_by(found.c.person_id),
        # Of integers: a sum of bigints is numeric, with a state in memory for each person.
        sa.func.sum(found.c.times),
        sa.func.min(found.c.first_at),
        sa.func.max(found.c.last_at),
    )


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
