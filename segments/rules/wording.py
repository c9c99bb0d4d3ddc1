"""Values, comparisons and spans of time in plain words. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from segments.rules.moments import Length, Moment, Window
from segments.rules.node import EVER, Comparison
from segments.rules.paths import MISSING
from segments.rules.patterns import Pattern
from segments.rules.values import to_decimal, type_of

_LONGEST = 80
# What follows "is" or "is not".
_WORDS: Final[Mapping[str, str]] = {
    "equals": "equal to",
    "not_equals": "other than",
    "in": "one of",
    "contains": "a text with",
    "starts_with": "a text that starts with",
    "matches": "a text that matches",
    "exists": "present",
    "missing": "missing",
    "<": "less than",
    "<=": "at most",
    ">": "more than",
    ">=": "at least",
    "between": "between",
    "before": "before",
    "after": "after",
    "is_anniversary": "an anniversary on the day that is asked about",
    "array_contains": "a list with",
    "at_least": "at least",
    "at_most": "at most",
    "exactly": "exactly",
}


def compared(name: str, value: Any, test: Comparison, *, holds: bool) -> str:
    """Say what a value is, and that it is or is not what was asked for."""
    if value is MISSING:
        return f"{name} is missing"
    if test.operator == "missing":
        return f"{name} is {shown(value)}, so it is not missing"
    return f"{name} is {shown(value)}, which is {asked(test, holds=holds)}"


def asked(test: Comparison, *, holds: bool) -> str:
    """Say what was asked for, with a `not` where it does not hold."""
    words = f"{'' if holds else 'not '}{_WORDS[test.operator]}"
    if test.value is None or test.operator == "is_anniversary":
        return words
    if isinstance(test.value, tuple):
        joint = " and " if test.operator == "between" else ", "
        return f"{words} {_cut(joint.join(map(shown, test.value)))}"
    return f"{words} {shown(test.value)}"


def window(given: Window) -> str:
    """Say when, with a blank before it; nothing for ever."""
    if given == EVER:
        return ""
    if given.last is not None:
        return f" in the last {given.last.text}"
    since = "" if given.since is None else f" from {given.since.text}"
    return f"{since}{'' if given.until is None else f' until {given.until.text}'}"


def shown(value: Any) -> str:
    """Return a value as people read it, never longer than a line."""
    match value:
        case Fraction():
            return f"{Decimal(value.numerator) / Decimal(value.denominator):.12g}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case Moment() | Length() | Pattern():
            return value.text
        case _ if type_of(value) == "number":
            return _cut(f"{to_decimal(value).normalize():f}")
        case _:
            return _cut(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
