"""Common filters as plain functions, for values of ordinary size. Pure.

Each step either returns exactly what the filter of its name returns, or raises: whatever is odd is
left to the filter itself, which pays for its work.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from jinja2 import Environment
from jinja2 import filters as jinja_filters

Step = Callable[[Any], Any]

MISSING = object()
# Longer texts, in JSON, are not ordinary.
MOST = 256
_BIG = 2**63
_DIGITS = 10


class OddError(Exception):
    """A value or argument that is not for the plain way."""


def _text(value: Any) -> str:
    if type(value) is not str:
        raise OddError
    return value


def _short(text: str) -> str:
    if len(text) > MOST:
        raise OddError
    return text


def _number(value: Any) -> Any:
    kind = type(value)
    if (kind is int or kind is float) and -_BIG < value < _BIG:
        return value
    raise OddError


def plain(value: Any) -> str:
    """Return the text of a value, not a text itself, that is put into a template."""
    if value is None or value is True or value is False:
        return str(value)
    return str(_number(value))


def _default(default_value: Any = "", boolean: Any = False) -> Step:  # noqa: FBT002 (as Jinja2 has it)
    def step(value: Any) -> Any:
        return default_value if value is MISSING or (boolean and not value) else value

    return step


def _on_text(method: Callable[[str], str]) -> Callable[[], Step]:
    return lambda: lambda value: method(_text(value))


def _title(text: str) -> str:
    # Words are parted by blanks, hyphens and brackets alone, and none of those is in one word.
    if text.isalnum():
        return text[0].upper() + text[1:].lower()
    return jinja_filters.do_title(text)


def _trim(chars: str | None = None) -> Step:
    if chars is not None:
        _text(chars)
    return lambda value: _text(value).strip(chars)


def _replace(old: str, new: str) -> Step:
    if not _text(old):
        raise OddError
    _text(new)
    return lambda value: _short(_text(value).replace(old, new))


def _truncate(
    length: int = 255,
    killwords: Any = False,  # noqa: FBT002 (as Jinja2 has it)
    end: str = "...",
    leeway: int | None = None,
) -> Step:
    cut = partial(
        jinja_filters.do_truncate,
        _PLAIN,
        length=int(_number(length)),
        killwords=killwords,
        end=_text(end),
        leeway=leeway,
    )
    return lambda value: cut(_text(value))


def _length() -> Step:
    def step(value: Any) -> int:
        if type(value) not in {str, list, dict}:
            raise OddError
        return len(value)

    return step


def _join(d: str = "") -> Step:
    _text(d)

    def step(value: Any) -> str:
        if type(value) is not list:
            raise OddError
        return _short(d.join(map(_text, value)))

    return step


def _int(default: int = 0) -> Step:
    def step(value: Any) -> Any:
        if type(value) is int:
            return _number(value)
        if type(value) is not str:
            _number(value)
        return _number(jinja_filters.do_int(value, default))

    return step


def _round(precision: int = 0) -> Step:
    if type(precision) is not int or not 0 <= precision <= _DIGITS:
        raise OddError
    return lambda value: jinja_filters.do_round(_number(value), precision)


_PLAIN = Environment(autoescape=False)  # noqa: S701 (nothing here is HTML)
_MAKERS: Mapping[str, Callable[..., Step]] = MappingProxyType(
    {
        "capitalize": _on_text(str.capitalize),
        "count": _length,
        "d": _default,
        "default": _default,
        "int": _int,
        "join": _join,
        "length": _length,
        "lower": _on_text(str.lower),
        "replace": _replace,
        "round": _round,
        "title": _on_text(_title),
        "trim": _trim,
        "truncate": _truncate,
        "upper": _on_text(str.upper),
    }
)


def make_step(name: str, arguments: list[Any], named: dict[str, Any]) -> Step | None:
    """Return the filter `name` with its constant arguments, None when it is not among these."""
    given = [*arguments, *named.values()]
    if name not in _MAKERS or not all(map(_is_ordinary, given)):
        return None
    try:
        return _MAKERS[name](*arguments, **named)
    except (OddError, TypeError):
        return None


def _is_ordinary(value: Any) -> bool:
    if type(value) is str:
        return len(value) <= MOST
    return value is None or type(value) is bool or (type(value) is int and abs(value) < _BIG)
