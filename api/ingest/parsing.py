"""Bodies of many items as JSON: whoever sends something that is none spoils only that one.

A body is read whole first. When that fails it is cut into its items, and each is read by itself.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from api.errors import MalformedJsonError
from api.json_body import NESTING_LIMIT, DuplicateFieldError, unique
from core.errors import FieldError, InvalidPayloadError

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{},:"]', re.DOTALL)
# What bytes become that are not UTF-8, and no character ever is.
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_TOO_DEEP = FieldError("", "too_deep", f"The limit is {NESTING_LIMIT} levels.")
_TOO_LARGE = FieldError("", "number_out_of_range", "A number has thousands of digits.")
_Parts = tuple[dict[str, Any], list[Any] | None]


@dataclass(frozen=True, slots=True)
class Broken:
    """An item that is not JSON, or that says a thing twice; no pointer leads into it."""

    fault: FieldError


def parse_parts(body: bytes, name: str) -> _Parts:
    """Return the fields of the object `body` and, apart, the items of its list `name`.

    An item that can not be read is `Broken`. Without such a list the items are None. Raises
    `MalformedJsonError` or `InvalidPayloadError` for a fault that lies in no item.
    """
    try:
        value = _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        return _parse_apart(body.decode("utf-8", "surrogateescape"), name)
    return _split(value, name)


def _split(value: Any, name: str) -> _Parts:
    if not isinstance(value, dict):
        wrong = FieldError("", "wrong_type", "The body must be an object.")
        raise InvalidPayloadError(fields=(wrong,))
    if name not in value:
        return value, None
    items = value.pop(name)
    if not isinstance(items, list):
        raise InvalidPayloadError(fields=(FieldError(f"/{name}", "wrong_type", "A list is due."),))
    return value, items


def _parse_apart(text: str, name: str) -> _Parts:
    cut = _cut(text, f'"{name}"')
    if cut is None:
        return _split(_read(text), name)
    (start, end), spans = cut
    # Without its items the body must be a good object.
    rest, _ = _split(_read(f"{text[:start]}[]{text[end:]}"), name)
    return rest, [_read_item(text[begin:stop]) for begin, stop in spans]


def _cut(text: str, name: str) -> tuple[tuple[int, int], Sequence[tuple[int, int]]] | None:
    """Return where the list called `name` stands in the outermost object, and its items."""
    depth, start, last, key = 0, -1, "", ""
    begin, spans = 0, list[tuple[int, int]]()
    for found in _TOKEN.finditer(text):
        mark, place = found[0], found.start()
        if mark in "[{":
            depth += 1
            if depth == 2 and start < 0 and key == name and mark == "[":
                start, begin = place, place + 1
        elif mark in "]}":
            if depth == 2 and start >= 0:
                spans.append((begin, place))
                return (start, place + 1), spans
            depth -= 1
        elif mark == "," and depth == 2 and start >= 0:
            spans.append((begin, place))
            begin = place + 1
        elif depth == 1:
            key = last if mark == ":" else ""
            last = mark
    return None


def _read(text: str) -> Any:
    """Return the value of a text of which nothing may be wrong; raise a problem."""
    if found := _NOT_UTF8.search(text):
        place = len(text[: found.start()].encode("utf-8", "surrogateescape"))
        raise MalformedJsonError(f"Byte {place} of the body is not UTF-8.")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJsonError(
            f"The body is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, "
            f"column {error.colno}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidPayloadError(fields=(_fault(error),)) from error


def _read_item(text: str) -> Any:
    if _NOT_UTF8.search(text):
        return Broken(FieldError("", "not_utf8", "It is not UTF-8."))
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return Broken(_fault(error))


def _fault(error: Exception) -> FieldError:
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    if isinstance(error, DuplicateFieldError):
        return error.fault
    if isinstance(error, json.JSONDecodeError):
        return FieldError("", "malformed_json", f"It is not JSON: {error.msg}.")
    return _TOO_LARGE


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no number of JSON", name, 0)


_DECODER = json.JSONDecoder(object_pairs_hook=unique, parse_constant=_refuse_constant)
