"""JSON as the doors accept it: UTF-8, finite numbers, and nothing PostgreSQL can not store."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from api.errors import MalformedJsonError
from core.errors import FieldError, InvalidPayloadError

NESTING_LIMIT = 20
_BIGINT = 2**63
_BIGINT_DIGITS = 20
_ERROR_LIMIT = 100


def parse_json(body: bytes) -> Any:
    """Return the value of `body`.

    Raises `MalformedJsonError` for what is not JSON, `InvalidPayloadError` with pointers for
    JSON that can not be stored: NUL, lone surrogates, infinite or huge numbers, deep nesting.
    """
    try:
        value = json.loads(
            body.decode("utf-8"), parse_int=_parse_int, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise MalformedJsonError(f"Byte {error.start} of the body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedJsonError(
            f"The body is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, "
            f"column {error.colno}."
        ) from error
    except RecursionError as error:
        raise InvalidPayloadError(fields=(_too_deep(""),)) from error
    wrong = tuple(_some(_faults(value)))
    if wrong:
        raise InvalidPayloadError(fields=wrong)
    return value


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can store a text: no NUL, no half of a surrogate pair."""
    return not any(_text_faults(text, ""))


def pointer_step(key: str | int) -> str:
    """Return one step of a JSON pointer (RFC 6901), with its slash."""
    return "/" + str(key).replace("~", "~0").replace("/", "~1")


def _parse_int(digits: str) -> int | float:
    # Python refuses to read thousands of digits; infinity is found again with its pointer.
    return int(digits) if len(digits) <= _BIGINT_DIGITS else math.inf


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJsonError(f"{name} is not JSON.")


def _some(faults: Iterator[FieldError]) -> Iterator[FieldError]:
    for _, fault in zip(range(_ERROR_LIMIT), faults, strict=False):
        yield fault


def _faults(value: Any, pointer: str = "", depth: int = 1) -> Iterator[FieldError]:
    if isinstance(value, str):
        yield from _text_faults(value, pointer)
    elif isinstance(value, dict | list):
        yield from _nested_faults(value, pointer, depth)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield FieldError(pointer, "number_out_of_range", "The number is too large.")
    elif isinstance(value, int) and not -_BIGINT <= value < _BIGINT:
        yield FieldError(pointer, "number_out_of_range", "The number does not fit 64 bits.")


def _nested_faults(
    value: dict[str, Any] | list[Any], pointer: str, depth: int
) -> Iterator[FieldError]:
    if depth > NESTING_LIMIT:
        yield _too_deep(pointer)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _text_faults(key, pointer)
            yield from _faults(item, pointer + pointer_step(_printable(key)), depth + 1)
        return
    for position, item in enumerate(value):
        yield from _faults(item, f"{pointer}/{position}", depth + 1)


def _text_faults(text: str, pointer: str) -> Iterator[FieldError]:
    if "\0" in text:
        yield FieldError(pointer, "nul_character", "A text must not hold the character U+0000.")
    if not text.isascii() and _printable(text) != text:
        yield FieldError(pointer, "lone_surrogate", "A text must not hold half a surrogate pair.")


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _too_deep(pointer: str) -> FieldError:
    return FieldError(pointer, "too_deep", f"The limit is {NESTING_LIMIT} levels.")
