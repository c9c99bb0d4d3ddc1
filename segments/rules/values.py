"""JSON values, compared by type and never coerced. Pure.

Numbers are exact: 1 and 1.0 are the same, 0.1 is a tenth, and nothing overflows.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

Scalar = str | bool | Decimal
# Beyond it, a number of an event is no amount: it is left out of sums and their like.
AMOUNT_LIMIT = Decimal(10) ** 308


def type_of(value: Any) -> str:
    """Return the JSON type of a value, in PostgreSQL's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case str():
            return "string"
        case list() | tuple():
            return "array"
        case _:
            return "object"


def to_decimal(value: float | Decimal) -> Decimal:
    """Return a number of JSON exactly as it was written."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def to_scalar(value: Any) -> Scalar | None:
    """Return a text, number or truth in the form that compares; None for all else."""
    if isinstance(value, str | bool):
        return value
    return to_decimal(value) if type_of(value) == "number" else None


def is_same(one: Any, other: Scalar) -> bool:
    """Tell whether a JSON value is this very text, number or truth."""
    scalar = to_scalar(one)
    return type_of(scalar) == type_of(other) and scalar == other


def to_amount(value: Any) -> Fraction | None:
    """Return a number that can be added up exactly; None for what is none or beyond the limit."""
    if type_of(value) != "number":
        return None
    number = to_decimal(value)
    if not -AMOUNT_LIMIT <= number <= AMOUNT_LIMIT:
        return None
    return Fraction(number)


def to_json_number(number: Decimal) -> int | float:
    """Return a number as JSON writes it: whole ones without a point."""
    return int(number) if number == number.to_integral_value() else float(number)
