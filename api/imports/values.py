"""From the text of a cell to the value of an attribute, by type; pure."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.fields import Moment
from api.json_body import parse_json
from core.errors import CarillonError

Convert = Callable[[Any], Any]

_INT = re.compile(r"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_moments: TypeAdapter[datetime] = TypeAdapter(Moment)


class UnfitError(ValueError):
    """What the value of a cell must be."""


def to_text(value: Any) -> Any:
    """Return a text; of JSON values only a text is one."""
    if not isinstance(value, str):
        raise UnfitError("must be a text")
    return value


def to_int(value: Any) -> Any:
    """Return a whole number of 64 bits."""
    if isinstance(value, str) and _INT.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError("must be a whole number such as 42")
    if not -(2**63) <= value < 2**63:
        raise UnfitError("must fit 64 bits")
    return value


def to_float(value: Any) -> Any:
    """Return a finite number."""
    if isinstance(value, str) and _FLOAT.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnfitError("must be a number such as 11.77, with a point")
    return float(value)


def to_bool(value: Any) -> Any:
    """Return true or false."""
    if isinstance(value, str):
        value = _TRUTH.get(value.strip().lower())
    if not isinstance(value, bool):
        raise UnfitError("must be true, false, yes, no, 1 or 0")
    return value


def to_time(value: Any) -> Any:
    """Return a moment as RFC 3339 text in UTC; a date is its midnight there."""
    date = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if date is not None:
        value = f"{'-'.join(date.groups())}T00:00:00Z"
    try:
        moment = _moments.validate_python(value)
    except ValidationError as error:
        words = "must be a date or a time such as 2026-03-01T12:00:00Z (RFC 3339)"
        raise UnfitError(words) from error
    return moment.isoformat().replace("+00:00", "Z")


def to_json(value: Any) -> Any:
    """Return the JSON value that a text holds; a value that came as JSON stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value.encode())
    except CarillonError as error:
        fault = error.fields[0].message if error.fields else error.detail
        raise UnfitError(fault.replace("The body", "The cell")) from error


CONVERTERS: Mapping[str, Convert] = MappingProxyType(
    {
        "text": to_text,
        "int": to_int,
        "float": to_float,
        "bool": to_bool,
        "time": to_time,
        "json": to_json,
    }
)
