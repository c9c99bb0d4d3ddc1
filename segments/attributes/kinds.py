"""What kinds of values attributes have, and the limits of what may come in; pure."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from core.errors import FieldError

DEPTH_LIMIT = 8
NAME_LIMIT = 255
# The same words as in the function `attribute_kind` of the database.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)


class Kind(StrEnum):
    """The kinds of values; `time` is a text that reads as a date or a time."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    LIST = "list"
    OBJECT = "object"


def kind_of(value: Any) -> Kind:
    """Return the kind of a JSON value that is not null."""
    if isinstance(value, str):
        return Kind.TIME if _TIME.fullmatch(value) else Kind.TEXT
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, int | float):
        return Kind.NUMBER
    return Kind.LIST if isinstance(value, list) else Kind.OBJECT


def fits(value: Any, declared: Kind) -> bool:
    """Tell whether a value may be written where a kind was declared; null always may."""
    if value is None:
        return True
    return fits_kind(kind_of(value), declared)


def fits_kind(kind: str, declared: Kind) -> bool:
    """Tell whether values of a kind may be written where another was declared."""
    return kind == declared or (declared is Kind.TEXT and kind == Kind.TIME)


def find_faults(
    attributes: Mapping[str, Any], declared: Mapping[str, Kind]
) -> Iterator[FieldError]:
    """Yield what is wrong with attributes: of another kind than declared, or too deep."""
    for name, value in attributes.items():
        kind = declared.get(name)
        if kind is not None and not fits(value, kind):
            words = f"It was declared as {kind}, and this is of the kind {kind_of(value)}."
            yield FieldError(pointer_of(name), "wrong_type", words)
        elif isinstance(value, dict | list) and not _is_flat(value, DEPTH_LIMIT - 1):
            words = f"An attribute may be {DEPTH_LIMIT} levels deep."
            yield FieldError(pointer_of(name), "too_deep", words)


def pointer_of(name: str) -> str:
    """Return the place of an attribute in a person's payload."""
    return "/attributes/" + name.replace("~", "~0").replace("/", "~1")


def _is_flat(value: Any, levels: int) -> bool:
    """Tell whether there are at most so many levels below."""
    if not isinstance(value, dict | list):
        return True
    if levels < 0:
        return False
    return all(
        _is_flat(one, levels - 1) for one in (value.values() if isinstance(value, dict) else value)
    )
