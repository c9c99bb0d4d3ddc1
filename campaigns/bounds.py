"""How much a template may build and do while it is rendered once.

Each step of a template pays for its work and for what it makes. What a person's texts can cost is
thereby bounded in time and memory, however the steps are combined.
"""

from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

# Attributes of a person together are not longer, so each of them can be worked with.
MAX_LENGTH = 65_536
_MAX_BITS = 512
# One unit is a step, an item of a list, or this many characters as a power of two.
_CHARACTERS_SHIFT = 4
_BITS_SHIFT = 6
BUDGET = 50_000
_FUNCTIONS = (BuiltinFunctionType, FunctionType, MethodType)
_CONTAINERS = (list, tuple, set, frozenset, KeysView, ValuesView, ItemsView)


class RenderError(Exception):
    """A text can not be rendered for this person; the argument says why, for people."""


@dataclass(slots=True)
class Effort:
    """What is left of the budget."""

    left: int = BUDGET


_EFFORT: ContextVar[Effort | None] = ContextVar("effort", default=None)


class OneEffort:
    """Lets everything that is rendered within share one budget; the outermost one counts."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token: Token[Effort | None] | None = None if _EFFORT.get() else _EFFORT.set(Effort())

    def __exit__(self, *_failure: object) -> None:
        if self._token is not None:
            _EFFORT.reset(self._token)


def spend(cost: int) -> None:
    """Pay for work; raise `RenderError` when the budget is used up."""
    effort = _EFFORT.get()
    if effort is None:
        raise RenderError("nothing is being rendered")
    effort.left -= cost
    if effort.left < 0:
        raise RenderError("it takes too much work to render")


def spent() -> int:
    """Return what has been paid since the outermost `OneEffort` began."""
    effort = _EFFORT.get()
    return 0 if effort is None else BUDGET - effort.left


def weigh(*values: Any) -> int:
    """Return what it costs to go through `values` with all that is in them, at most the budget.

    Raises `RenderError` for a method that is not called: as text it shows its place in memory.
    """
    total, waiting = 0, list(values)
    while waiting and total + len(waiting) <= BUDGET:
        value = waiting.pop()
        total += 1
        if isinstance(value, (str, bytes)):
            total += len(value) >> _CHARACTERS_SHIFT
        elif isinstance(value, int):
            total += value.bit_length() >> _BITS_SHIFT
        elif isinstance(value, dict):
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, _CONTAINERS):
            waiting += value
        elif isinstance(value, range):
            total += len(value)
        elif isinstance(value, _FUNCTIONS):
            raise RenderError("a method is called with `()`: without them it has no value")
    return total + len(waiting)


def weighed(value: Any) -> Any:
    """Pay for going through `value` and return it."""
    spend(weigh(value))
    return value


def sliced(value: Any, start: Any, stop: Any, step: Any) -> Any:
    """Return a part of a text or list, and pay for it."""
    spend(1)
    return bounded(value[start:stop:step])


def walk(values: Iterable[Any], cost: int = 1) -> Iterator[Any]:
    """Yield `values`, paying `cost` for each."""
    for value in values:
        spend(cost)
        yield value


def bounded(value: Any) -> Any:
    """Pay for a result and return it; raise `RenderError` when it is larger than any needs be."""
    if isinstance(value, str):
        require_length(len(value))
        spend(len(value) >> _CHARACTERS_SHIFT)
    elif isinstance(value, int):
        require_bits(value.bit_length())
    elif isinstance(value, (list, tuple)):
        spend(len(value))
    elif isinstance(value, Iterator):
        return walk(value)
    return value


def text_of(value: Any) -> str:
    """Return the text of a value; raise `RenderError` when it has none or would be too long."""
    if type(value) is not str:
        spend(weigh(value))
        require_text(value)
    text = str(value)
    require_length(len(text))
    return text


def require_text(*values: Any) -> None:
    """Raise `RenderError` for what can only be gone through: its text is its place in memory."""
    for value in values:
        if isinstance(value, Iterator):
            raise RenderError("what a filter hands on one by one has no text: `join` it")
        if isinstance(value, (list, tuple)):
            require_text(*value)
        elif isinstance(value, dict):
            require_text(*value.values())


def require_length(length: int) -> None:
    """Raise `RenderError` unless a text or list of `length` is allowed."""
    if length > MAX_LENGTH:
        raise RenderError(f"a value is longer than {MAX_LENGTH}")


def require_bits(bits: int) -> None:
    """Raise `RenderError` unless a whole number of so many bits is allowed."""
    if bits > _MAX_BITS:
        raise RenderError("a number is larger than any of ordinary size")


def is_encodable(text: str) -> bool:
    """Tell whether a text has UTF-8: half a surrogate pair has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
