"""JSON as the doors accept it: UTF-8, finite numbers, and nothing PostgreSQL can not store."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from api.errors import MalformedJsonError
from core.errors import FieldError, InvalidPayloadError

# As deep as a rule may be: ten groups, a sequence, its conditions, and the values of one.
NESTING_LIMIT = 24
_BIGINT = 2**63
_BIGINT_DIGITS = 20
_ERROR_LIMIT = 100
_PLAIN = frozenset({str, bool})


class DuplicateFieldError(ValueError):
    """An object names the same field twice: which of the two is meant, nobody can know."""

    @property
    def fault(self) -> FieldError:
        """What is said of it."""
        return FieldError("", "duplicate_field", f"A field stands there twice: {self}.")


def parse_json(body: bytes, *, is_unique: bool = False) -> Any:
    """Return the value of `body`; with `is_unique` no object may name a field twice.

    Raises `MalformedJsonError` for what is not JSON, `InvalidPayloadError` with pointers for
    JSON that can not be stored: NUL, lone surrogates, infinite or huge numbers, deep nesting.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_int=_parse_int,
            parse_constant=_refuse_constant,
            object_pairs_hook=unique if is_unique else None,
        )
    except UnicodeDecodeError as error:
        raise MalformedJsonError(f"Byte {error.start} of the body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedJsonError(
            f"The body is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, "
            f"column {error.colno}."
        ) from error
    except DuplicateFieldError as error:
        raise InvalidPayloadError(fields=(error.fault,)) from error
    except RecursionError as error:
        raise InvalidPayloadError(fields=(_too_deep(""),)) from error
    wrong = () if _is_plain(value, body) else tuple(_some(_faults(value)))
    if wrong:
        raise InvalidPayloadError(fields=wrong)
    return value


def _is_plain(value: Any, body: bytes) -> bool:
    """Tell at once that nothing can be wrong with most bodies: flat, and of texts as they stand.

    What PostgreSQL can not store of a text comes only as an escape.
    """
    return (
        b"\\u" not in body
        and type(value) is dict
        and all(one is None or type(one) in _PLAIN for one in value.values())
    )


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of its fields; raise `DuplicateFieldError`."""
    made = dict(pairs)
    if len(made) != len(pairs):
        seen = set[str]()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DuplicateFieldError(repr(twice)[:100])
    return made


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
            yield from _faults(item, pointer + pointer_step(printable(key)), depth + 1)
        return
    for position, item in enumerate(value):
        yield from _faults(item, f"{pointer}/{position}", depth + 1)


def _text_faults(text: str, pointer: str) -> Iterator[FieldError]:
    if "\0" in text:
        yield FieldError(pointer, "nul_character", "A text must not hold the character U+0000.")
    if not text.isascii() and printable(text) != text:
        yield FieldError(pointer, "lone_surrogate", "A text must not hold half a surrogate pair.")


def printable(text: str) -> str:
    """Return a text without halves of surrogate pairs, so that it can be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _too_deep(pointer: str) -> FieldError:
    return FieldError(pointer, "too_deep", f"The limit is {NESTING_LIMIT} levels.")
