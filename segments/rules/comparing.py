"""One comparison on one value, by the operator. Pure.

A value that is missing or of another type than the operator asks for compares false, whatever the
operator; only `missing` holds for what is missing.
"""

import operator as python
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from segments.rules.datetexts import is_date_text, text_ticks, ticks
from segments.rules.moments import Clock, Span
from segments.rules.node import Comparison
from segments.rules.paths import MISSING
from segments.rules.values import is_same, to_decimal, type_of
from segments.rules.versions import parse_version

ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": python.eq,
    "not_equals": python.ne,
    "<": python.lt,
    "<=": python.le,
    ">": python.gt,
    ">=": python.ge,
    "at_least": python.ge,
    "at_most": python.le,
    "exactly": python.eq,
}


def value_holds(test: Comparison, value: Any, clock: Clock) -> bool:
    """Compare a JSON value, `MISSING` included."""
    if test.operator in {"exists", "missing"}:
        return (value is MISSING) is (test.operator == "missing")
    match type_of(value) if value is not MISSING else "null":
        case "string":
            return _text_holds(test, value, clock)
        case "number":
            return _number_holds(test, value)
        case "boolean":
            return _scalar_holds(test, value)
        case "array":
            return test.operator == "array_contains" and any(
                is_same(one, test.value) for one in value
            )
        case _:
            return False


def _scalar_holds(test: Comparison, value: Any) -> bool:
    match test.operator:
        case "equals":
            return is_same(value, test.value)
        case "not_equals":
            return type_of(value) == type_of(test.value) and not is_same(value, test.value)
        case "in":
            return any(is_same(value, one) for one in test.value)
        case _:
            return False


def _text_holds(test: Comparison, value: str, clock: Clock) -> bool:
    match test.operator:
        case "contains":
            return test.value in value
        case "starts_with":
            return value.startswith(test.value)
        case "matches":
            return bool(test.value.matches(value))
        case "before" | "after":
            return date_text_holds(span_of(test, clock), value, clock)
        case "between":
            is_dates = not isinstance(test.value[0], Decimal)
            return is_dates and date_text_holds(span_of(test, clock), value, clock)
        case _:
            return _scalar_holds(test, value)


def _number_holds(test: Comparison, value: Any) -> bool:
    match test.operator:
        case "<" | "<=" | ">" | ">=":
            return ORDER[test.operator](to_decimal(value), test.value)
        case "between":
            low, high = test.value
            return isinstance(low, Decimal) and low <= to_decimal(value) <= high
        case _:
            return _scalar_holds(test, value)


def span_of(test: Comparison, clock: Clock) -> Span:
    """Return the span of time that `before`, `after` or `between` means."""
    match test.operator:
        case "before":
            return Span(end=test.value.start(clock))
        case "after":
            return Span(start=test.value.end(clock))
        case _:
            first, last = test.value
            return Span(first.start(clock), last.end(clock))


def date_text_holds(span: Span, text: str, clock: Clock) -> bool:
    """Tell whether a text is a day that begins in a span, or a time inside of it."""
    if not is_date_text(text):
        return False
    if len(text) == 10:
        first, last = span.days(clock.zone)
        is_late = first is None or text >= first.isoformat()
        return is_late and (last is None or text < last.isoformat())
    at = text_ticks(text)
    is_late = span.start is None or at >= ticks(span.start)
    return is_late and (span.end is None or at < ticks(span.end))


def moment_holds(test: Comparison, at: datetime | None, clock: Clock) -> bool:
    """Compare a moment that we ourselves keep."""
    if test.operator in {"exists", "missing"}:
        return (at is None) is (test.operator == "missing")
    return at is not None and span_of(test, clock).holds(at)


def version_holds(test: Comparison, text: str | None) -> bool:
    """Compare a version of an app or a system."""
    if test.operator in {"exists", "missing"}:
        return (text is None) is (test.operator == "missing")
    version = None if text is None else parse_version(text)
    if version is None:
        return False
    if test.operator in {"in", "between"}:
        wanted = [found for one in test.value if (found := parse_version(one))]
        if test.operator == "in":
            return version in wanted
        return wanted[0] <= version <= wanted[1]
    return ORDER[test.operator](version, parse_version(test.value))


def amount_holds(test: Comparison, amount: Fraction | int | None) -> bool:
    """Compare a count or what numbers add up to; None is missing."""
    if amount is None:
        return False
    if test.operator == "between":
        low, high = map(Fraction, test.value)
        return low <= amount <= high
    return ORDER[test.operator](amount, Fraction(test.value))


def anniversary_holds(test: Comparison, value: Any, today: date) -> bool:
    """Tell whether a day comes again `test.value` days from today; on its first time it is none."""
    if not isinstance(value, str) or not is_date_text(value):
        return False
    days, year = anniversary(today + timedelta(days=test.value))
    return value[5:10] in days and value[:4] < year


def anniversary(day: date) -> tuple[tuple[str, ...], str]:
    """Return the months and days that come again on a day, and the year they must be before.

    Who was born on the 29th of February celebrates on the 28th in other years.
    """
    is_short = (day + timedelta(days=1)).strftime("%m-%d") == "03-01" and day.day == 28
    own = day.strftime("%m-%d")
    return ((own, "02-29") if is_short else (own,)), f"{day.year:04}"
