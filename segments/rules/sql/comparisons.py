"""One comparison as SQL: the same answers as `comparing`, on columns instead of values.

Null stands for false. Casts stand behind the guard of a CASE, which PostgreSQL evaluates first, so
that no value can abort a statement.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import JSONB

from segments.rules.comparing import ORDER, span_of
from segments.rules.datetexts import DATE_TEXT, LONGEST, PLAIN_PARTS
from segments.rules.moments import Clock, Span
from segments.rules.node import Comparison
from segments.rules.paths import Path
from segments.rules.patterns import LONGEST_TEXT
from segments.rules.sql.binding import (
    MOMENT,
    Truth,
    bound,
    by_code,
    json_value,
    json_values,
    moment,
    shared_texts,
    text,
    texts,
)

Column = ColumnElement[Any]
# Months and days, and the year before which they must be: see `comparing.anniversary`.
ComesAgain = tuple[tuple[str, ...], str]
# The operators of Python do the same to columns.
COLUMN_ORDER: Mapping[str, Callable[[Any, Any], Any]] = ORDER


class Json:
    """What stands at a path of a jsonb column."""

    def __init__(self, column: Column, path: Path) -> None:
        *way, last = path
        for step in way:
            column = column.op("->", return_type=JSONB())(bound(step, sa.Text))
        # Only objects have names: on a list, the operator for texts gives nothing.
        self.value: Column = column.op("->", return_type=JSONB())(bound(last, sa.Text))
        self.text: Column = column.op("->>", return_type=sa.Text())(bound(last, sa.Text))

    def is_a(self, kind: str) -> Truth:
        """Tell whether it has a JSON type."""
        return sa.func.jsonb_typeof(self.value) == kind

    def within(self, low: Any, high: Any) -> Truth:
        """Tell whether it is a number between two; what is of another type sorts outside."""
        return sa.and_(self.value >= json_value(low), self.value <= json_value(high))

    @property
    def as_numeric(self) -> Column:
        """It as an exact number; only behind a guard, since all else aborts the statement."""
        return sa.cast(self.value, sa.Numeric)


_PRESENCE = frozenset({"exists", "missing"})
_SCALARS = frozenset({"equals", "not_equals", "in"})


def json_holds(test: Comparison, value: Json, clock: Clock) -> Truth:
    """Compare what stands in a jsonb column."""
    if test.operator in _PRESENCE:
        # A null of JSON has no text either, and a text is had for a third of what a value costs.
        return presence_holds(test, value.text)
    if test.operator in _SCALARS:
        return _scalar_holds(test, value)
    match test.operator:
        case "array_contains":
            found = value.value.op("@>", is_comparison=True)(json_value([test.value]))
            return sa.and_(value.is_a("array"), found)
        case "<" | "<=" | ">" | ">=":
            return _order_holds(test, value)
        case "before" | "after" | "between":
            return _between_holds(test, value, clock)
        case _:
            return sa.and_(text_holds(test, value.text), value.is_a("string"))


def _scalar_holds(test: Comparison, value: Json) -> Truth:
    match test.operator:
        case "equals" if _is_text_alone(test.value):
            return value.text == text(test.value)
        case "in" if all(_is_text_alone(one) for one in test.value):
            return value.text == sa.any_(texts(test.value))
        case "equals":
            return value.value == json_value(test.value)
        case "not_equals" if isinstance(test.value, str):
            return sa.and_(value.text != text(test.value), value.is_a("string"))
        case "not_equals":
            return sa.and_(value.value != json_value(test.value), value.is_a(_kind(test.value)))
        case _:
            return value.value == sa.any_(json_values(test.value))


def _order_holds(test: Comparison, value: Json) -> Truth:
    fits = compare(test.operator, value.value, json_value(test.value))
    if test.operator in {"<", "<="}:
        return sa.and_(fits, value.is_a("number"))
    # What else sorts above numbers are true, false, lists and objects: none begins like a number.
    return sa.and_(fits, by_code(value.text) < text("A"))


def _is_text_alone(wanted: Any) -> bool:
    """Tell whether it is a text that no other value reads like: those of others are JSON.

    Then texts are compared, which cost a third of values. What is JSON is read without fault: a
    whole number would have to have more digits than a text of a rule may have to be refused.
    """
    if not isinstance(wanted, str):
        return False
    try:
        json.loads(wanted)
    except ValueError:
        return True
    except RecursionError:
        pass
    return False


def _between_holds(test: Comparison, value: Json, clock: Clock) -> Truth:
    if test.operator == "between" and isinstance(test.value[0], Decimal):
        return value.within(*test.value)
    return _date_holds(span_of(test, clock), value, clock)


def _kind(value: Any) -> str:
    return "boolean" if isinstance(value, bool) else "number"


def compare(operator: str, left: Column, right: Any) -> Truth:
    """Compare two values by one of the operators of order."""
    truth: Truth = COLUMN_ORDER[operator](left, right)
    return truth


def is_not(truth: Truth) -> Truth:
    """Negate; null is false, so its negation is true."""
    return truth.is_not(sa.true())


def text_holds(test: Comparison, column: Column) -> Truth:
    """Compare a text that may be null."""
    if test.operator in _PRESENCE:
        return presence_holds(test, column)
    match test.operator:
        case "equals" | "not_equals":
            return compare(test.operator, column, text(test.value))
        case "in":
            return column == sa.any_(texts(test.value))
        case "contains":
            return sa.func.strpos(column, text(test.value)) > 0
        case "starts_with":
            return sa.func.starts_with(column, text(test.value))
        case _:
            return sa.and_(
                sa.func.length(column) <= LONGEST_TEXT,
                column.op("~", is_comparison=True)(text(test.value.postgresql)),
            )


def presence_holds(test: Comparison, column: Column) -> Truth:
    """Tell whether a column is null, or not."""
    return column.is_(None) if test.operator == "missing" else column.is_not(None)


def moment_holds(test: Comparison, column: Column, clock: Clock) -> Truth:
    """Compare a moment that may be null."""
    if test.operator in _PRESENCE:
        return presence_holds(test, column)
    return in_span(span_of(test, clock), column)


def in_span(span: Span, column: Column) -> Truth:
    """Tell whether a moment is in a span."""
    bounds: list[Truth] = []
    if span.start is not None:
        bounds.append(column >= moment(span.start))
    if span.end is not None:
        bounds.append(column < moment(span.end))
    return sa.and_(*bounds) if bounds else sa.true()


def _is_date_text(value: Json) -> Truth:
    """Tell whether it is a date: the parts of most are looked up, the others cost the expression.

    What passes is a text: no number, list or object is written like a date.
    """
    length = sa.func.length(value.text)
    is_any = value.text.op("~", is_comparison=True)(text(DATE_TEXT))
    return sa.and_(length.between(10, LONGEST), sa.or_(is_plain_date(value.text), is_any))


def is_plain_date(column: Column) -> Truth:
    """Tell whether a text is a date of `PLAIN_PARTS`, with up to six digits of a second.

    A lookup among constants is a hash table to PostgreSQL, but only where a statement is planned
    for its own values: with a generic plan each part would be searched for from the first to the
    last (see `repository.PLANNING`).
    """

    def part(name: str, at: int, *length: int) -> Truth:
        known = shared_texts(f"plain_{name}", PLAIN_PARTS[name])
        return sa.func.substr(column, at, *length) == sa.any_(known)

    clock = (part("hour", 11, 3), part("sixtieth", 14, 3), part("sixtieth", 17, 3))
    has_fraction = sa.and_(part("fraction", 20, 4), part("end", 24))
    rest = sa.or_(sa.func.substr(column, 20) == sa.any_(texts(("Z", "z"))), has_fraction)
    has_time = sa.case((sa.func.length(column) == 10, sa.true()), else_=sa.and_(*clock, rest))
    return sa.and_(part("year", 1, 4), part("day", 5, 6), has_time)


def _date_holds(span: Span, value: Json, clock: Clock) -> Truth:
    """Tell whether a date is in a span. Most are far from its ends: their text alone says so."""
    is_day = sa.func.length(value.text) == 10
    days = _text_between(value, *span.days(clock.zone))
    start, end = span.start, span.end
    possible = _text_between(value, _shifted(start, -_FAR), _shifted(end, _FAR))
    certain = _text_between(value, _shifted(start, _FAR), _shifted(end, -_FAR))
    shortened = sa.func.regexp_replace(value.text, text("([.][0-9]{6})[0-9]+"), text(r"\1"))
    return sa.case(
        (is_not(possible), sa.false()),
        (is_not(_is_date_text(value)), sa.false()),
        (is_day, days),
        (certain, sa.true()),
        else_=in_span(span, sa.cast(shortened, MOMENT)),
    )


# More than a moment and the day in its text can be apart, in any zone.
_FAR = timedelta(days=2)


def _shifted(at: datetime | None, by: timedelta) -> date | None:
    return None if at is None else (at + by).date()


def _text_between(value: Json, first: date | None, last: date | None) -> Truth:
    bounds: list[Truth] = []
    if first is not None:
        bounds.append(by_code(value.text) >= text(first.isoformat()))
    if last is not None:
        bounds.append(by_code(value.text) < text(last.isoformat()))
    return sa.and_(*bounds)


def anniversary_holds(
    value: Json, elsewhere: Sequence[tuple[Truth, ComesAgain]], here: ComesAgain
) -> Truth:
    """Tell whether a day comes again, for some people elsewhere and for all others here."""
    cases = [(who, _is_of(value, days)) for who, days in elsewhere]
    own = _is_of(value, here)
    return sa.and_(sa.case(*cases, else_=own) if cases else own, _is_date_text(value))


def _is_of(value: Json, days: ComesAgain) -> Truth:
    names, year = days
    month_and_day = sa.func.substr(value.text, 6, 5)
    return sa.and_(month_and_day == sa.any_(texts(names)), by_code(value.text) < text(year))
