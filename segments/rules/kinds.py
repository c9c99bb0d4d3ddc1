"""The kinds of values in rules: each reads JSON, says what is wrong, and describes itself. Pure."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segments.rules.moments import parse_length, parse_moment
from segments.rules.paths import parse_path
from segments.rules.pattern_syntax import MOST_CHARACTERS
from segments.rules.patterns import read_pattern
from segments.rules.reading import INVALID, Form, Kind, Place, object_schema, read_object
from segments.rules.values import to_decimal, type_of
from segments.rules.versions import VERSION, parse_version

TEXT_LIMIT = 1_000
NAME_LIMIT = 255
LIST_LIMIT = 1_000
_BIGINT = 2**63
_SURROGATES = re.compile("[\ud800-\udfff]")


def _text(limit: int) -> Callable[[Any, Place], Any]:
    def read(value: Any, place: Place) -> Any:
        if not isinstance(value, str):
            return place.refuse("wrong_type", "must be a text")
        if not value:
            return place.refuse("too_short", "must not be empty")
        if len(value) > limit:
            return place.refuse("too_long", f"may have at most {limit} characters")
        if "\0" in value or _SURROGATES.search(value):
            return place.refuse("invalid_value", "holds a character that can not be stored")
        return value

    return read


def _text_schema(limit: int, **more: Any) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": limit, **more}


def parsed(parse: Callable[[str], Any], limit: int, **more: Any) -> Kind:
    """Return the kind of texts that `parse` understands or refuses by a `ValueError` in words."""
    plain = _text(limit)

    def read(value: Any, place: Place) -> Any:
        text = plain(value, place)
        if text is INVALID:
            return INVALID
        try:
            return parse(text)
        except ValueError as error:
            return place.refuse("invalid_value", str(error))

    return Kind(read, _text_schema(limit, **more))


def matching(pattern: str, words: str, limit: int) -> Kind:
    """Return the kind of texts that a regular expression describes."""
    compiled = re.compile(pattern.removeprefix("^").removesuffix("$"), re.ASCII)

    def parse(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(words)
        return text

    return parsed(parse, limit, pattern=pattern)


def whole(least: int, most: int) -> Kind:
    """Return the kind of whole numbers between two."""

    def read(value: Any, place: Place) -> Any:
        if type_of(value) != "number":
            return place.refuse("wrong_type", "must be a number")
        if not least <= value <= most or value != int(value):
            return place.refuse("out_of_range", f"must be a whole number from {least} to {most}")
        return int(value)

    return Kind(read, {"type": "integer", "minimum": least, "maximum": most})


def real(least: float, most: float) -> Kind:
    """Return the kind of numbers between two."""

    def read(value: Any, place: Place) -> Any:
        if type_of(value) != "number":
            return place.refuse("wrong_type", "must be a number")
        if not least <= value <= most:
            return place.refuse("out_of_range", f"must be from {least:g} to {most:g}")
        return float(value) + 0.0

    return Kind(read, {"type": "number", "minimum": least, "maximum": most})


def _is_kept(value: float) -> bool:
    """Tell whether it is a number that a rule may name: of 64 bits, or a double.

    PostgreSQL writes 1e22 with all its digits: read again, a double is a whole number.
    """
    if isinstance(value, int) and not -_BIGINT <= value < _BIGINT:
        try:
            return to_decimal(float(value)) == value
        except OverflowError:
            return False
    return math.isfinite(value)


def _read_number(value: Any, place: Place) -> Any:
    if type_of(value) != "number":
        return place.refuse("wrong_type", "must be a number")
    if not _is_kept(value):
        return place.refuse("out_of_range", "The number does not fit 64 bits.")
    # So that 1.0, 1e0 and 1 are one, and zero has no sign.
    return to_decimal(value).normalize() + 0


def _read_boolean(value: Any, place: Place) -> Any:
    return value if isinstance(value, bool) else place.refuse("wrong_type", "must be true or false")


def _read_scalar(value: Any, place: Place) -> Any:
    match type_of(value):
        case "string":
            return value if value == "" else _text(TEXT_LIMIT)(value, place)
        case "number":
            return _read_number(value, place)
        case "boolean":
            return value
        case _:
            return place.refuse("wrong_type", "must be a text, a number, true or false")


def _sort_key(value: Any) -> tuple[str, Any]:
    return type_of(value), value


def listed(
    kind: Kind,
    most: int = LIST_LIMIT,
    *,
    key: Callable[[Any], Any] = _sort_key,
    least: int = 1,
) -> Kind:
    """Return the kind of lists, whose order and repetitions mean nothing."""

    def read(value: Any, place: Place) -> Any:
        if not isinstance(value, list | tuple):
            return place.refuse("wrong_type", "must be a list")
        if len(value) < least:
            return place.refuse("too_short", "must not be empty")
        if len(value) > most:
            return place.refuse("too_long", f"may have at most {most} entries")
        items = [kind.read(item, place.at(index)) for index, item in enumerate(value)]
        if any(item is INVALID for item in items):
            return INVALID
        return tuple(sorted({key(item): item for item in items}.values(), key=key))

    schema = {"type": "array", "items": kind.schema, "minItems": least, "maxItems": most}
    return Kind(read, schema)


def _pair(value: Any, place: Place, kind: Kind) -> Any:
    first, second = (kind.read(item, place.at(index)) for index, item in enumerate(value))
    return INVALID if first is INVALID or second is INVALID else (first, second)


def pair(kind: Kind) -> Kind:
    """Return the kind of two values, the smaller first; both belong to what is meant."""

    def read(value: Any, place: Place) -> Any:
        if not isinstance(value, list | tuple) or len(value) != 2:
            return place.refuse("wrong_type", "must be a list of two")
        return _pair(value, place, kind)

    return Kind(read, {"type": "array", "items": kind.schema, "minItems": 2, "maxItems": 2})


def _read_range(value: Any, place: Place) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return place.refuse("wrong_type", "must be a list of two numbers, or of two moments")
    return _pair(value, place, NUMBER if type_of(value[0]) == "number" else MOMENT)


def obj(forms: Sequence[Form], build: Callable[[Mapping[str, Any], Place], Any]) -> Kind:
    """Return the kind of objects of these forms, which `build` turns into values."""

    def read(value: Any, place: Place) -> Any:
        values = read_object(value, place, forms)
        return build(values, place) if isinstance(values, dict) else INVALID

    return Kind(read, object_schema(forms))


def _read_node(value: Any, place: Place) -> Any:
    return place.read_node(value, place)


def _read_nodes(value: Any, place: Place) -> Any:
    if not isinstance(value, list | tuple):
        return place.refuse("wrong_type", "must be a list of nodes")
    nodes = [place.read_node(item, place.at(index)) for index, item in enumerate(value)]
    return INVALID if any(node is INVALID for node in nodes) else tuple(nodes)


def _parse_version(text: str) -> str:
    if parse_version(text) is None:
        raise ValueError("must be a version such as 4.2.0 or 5.0.0-beta.1")
    return text


TEXT = Kind(_text(TEXT_LIMIT), _text_schema(TEXT_LIMIT))
NAME = Kind(_text(NAME_LIMIT), _text_schema(NAME_LIMIT))
PATH = parsed(parse_path, NAME_LIMIT)
NUMBER = Kind(_read_number, {"type": "number"})
BOOLEAN = Kind(_read_boolean, {"type": "boolean"})
SCALAR = Kind(
    _read_scalar,
    {
        "anyOf": [
            {"type": "string", "maxLength": TEXT_LIMIT},
            {"type": "number"},
            {"type": "boolean"},
        ]
    },
)
MOMENT = parsed(parse_moment, 40)
LENGTH = parsed(parse_length, 20, pattern=r"^\d{1,6} (minute|hour|day|week|month|year)s?$")
RANGE = Kind(_read_range, {"anyOf": [pair(NUMBER).schema, pair(MOMENT).schema]})
PATTERN = parsed(read_pattern, MOST_CHARACTERS)
VERSION_TEXT = parsed(_parse_version, 100, pattern=VERSION)
NODE = Kind(_read_node, {"$ref": "#/$defs/Rule"})
NODES = Kind(_read_nodes, {"type": "array", "items": {"$ref": "#/$defs/Rule"}})
