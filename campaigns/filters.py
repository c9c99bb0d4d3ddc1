"""The filters and tests of templates: each pays for its work, none multiplies what it gets."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, pass_environment
from jinja2 import filters as jinja_filters
from jinja2 import tests as jinja_tests

from campaigns.bounds import (
    MAX_LENGTH,
    RenderError,
    bounded,
    require_length,
    require_text,
    spend,
    text_of,
    walk,
    weigh,
)

# These look at one item, or hand items on one by one: what is in them is paid for when it is used.
_SHALLOW = frozenset(
    {
        "abs", "count", "d", "default", "first", "float", "items", "last", "length", "map",
        "reject", "rejectattr", "reverse", "round", "select", "selectattr", "unique",
    }
)  # fmt: skip
_DEEP = frozenset(
    {
        "capitalize", "dictsort", "e", "escape", "int", "list", "lower", "max", "min", "sort",
        "string", "title", "truncate", "upper", "wordcount",
    }
)  # fmt: skip
# These work on the text of whatever they get.
_TEXTUAL = frozenset(
    {
        "capitalize", "e", "escape", "lower", "string", "title", "truncate", "upper", "wordcount",
    }
)  # fmt: skip
_NUMERIC_TESTS = frozenset({"divisibleby", "even", "odd"})
_JINJA_FILTERS: Mapping[str, Any] = jinja_filters.FILTERS
_JINJA_TESTS: Mapping[str, Any] = jinja_tests.TESTS
_MAX_PRECISION = 30
_MAX_PATTERN = 1_000


def is_number(*values: Any) -> bool:
    """Tell whether all `values` are numbers."""
    return all(isinstance(value, (int, float)) for value in values)


def require_pattern(*values: Any) -> None:
    """Raise `RenderError` for a text that is too long to be looked for in another."""
    if any(isinstance(value, str) and len(value) > _MAX_PATTERN for value in values):
        raise RenderError(f"a text to look for is longer than {_MAX_PATTERN}")


def _paying(
    function: Callable[..., Any], *, is_deep: bool, is_textual: bool = False
) -> Callable[..., Any]:
    # What Jinja hands to a filter first, such as its environment, weighs nothing to speak of.
    first = 0 if is_deep else 1 + hasattr(function, "jinja_pass_arg")

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        spend(1 + weigh(*arguments[first:], *named.values()))
        if is_textual:
            require_text(*arguments)
        return bounded(function(*arguments, **named))

    return call


def _numeric(test: Callable[..., bool]) -> Callable[..., bool]:
    """`%` formats when its left side is a text, so tests that calculate take numbers alone."""

    @wraps(test)
    def call(*arguments: Any) -> bool:
        if not is_number(*arguments):
            raise RenderError("this test is for numbers")
        return test(*arguments)

    return call


@pass_environment
def _join(
    environment: Environment, values: Iterable[Any], d: str = "", attribute: Any = None
) -> str:
    between, texts, length = text_of(d), [], 0
    read = None if attribute is None else jinja_filters.make_attrgetter(environment, attribute)
    for value in walk(values):
        texts.append(text_of(value if read is None else read(value)))
        length += len(texts[-1]) + len(between)
        require_length(length - len(between))
    return between.join(texts)


@pass_environment
def _sum(
    environment: Environment, values: Iterable[Any], attribute: Any = None, start: Any = 0
) -> Any:
    read = None if attribute is None else jinja_filters.make_attrgetter(environment, attribute)
    total = start
    for value in walk(values):
        item = value if read is None else read(value)
        if not is_number(total, item):
            raise RenderError("`sum` is for numbers")
        total += item
    return total


def _replace(text: Any, old: str, new: str) -> str:
    source, old, new = text_of(text), text_of(old), text_of(new)
    require_pattern(old)
    if not old or len(source) + source.count(old) * (len(new) - len(old)) > MAX_LENGTH:
        raise RenderError(f"a replacement is empty or longer than {MAX_LENGTH}")
    return source.replace(old, new)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if not (is_number(value) and isinstance(precision, int) and abs(precision) <= _MAX_PRECISION):
        raise RenderError(f"`round` is for numbers and at most {_MAX_PRECISION} digits")
    return jinja_filters.do_round(value, precision, method)


def _trim(value: str, chars: str | None = None) -> str:
    require_pattern(chars)
    return jinja_filters.do_trim(text_of(value), chars)


_OWN: Mapping[str, Callable[..., Any]] = {
    "join": _join, "replace": _replace, "round": _round, "sum": _sum, "trim": _trim,
}  # fmt: skip

FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        name: _paying(_JINJA_FILTERS[name], is_deep=True, is_textual=name in _TEXTUAL)
        for name in _DEEP
    }
    | {name: _paying(_JINJA_FILTERS[name], is_deep=False) for name in _SHALLOW}
    | {name: _paying(function, is_deep=True) for name, function in _OWN.items()}
)
TESTS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        name: _paying(_numeric(test) if name in _NUMERIC_TESTS else test, is_deep=True)
        for name, test in _JINJA_TESTS.items()
    }
)
