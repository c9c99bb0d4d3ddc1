"""What templates may do: Jinja2's sandbox, without anything that grows or runs unboundedly.

Only what is listed can be used. No step makes much out of little, and each pays from one budget
(`bounds`), so that no combination of steps keeps a worker busy or fills its memory.
"""

from datetime import date, time
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from campaigns.bounds import (
    RenderError,
    bounded,
    require_bits,
    require_length,
    sliced,
    spend,
    text_of,
    walk,
    weigh,
    weighed,
)
from campaigns.filters import FILTERS, TESTS, is_number, require_pattern
from campaigns.syntax import MAX_SOURCE, restrict

_MAX_RANGE = 1_000
# Compiled templates hand their variables to each call beside its arguments.
_OF_JINJA = {"_loop_vars", "_block_vars"}
_TEXT_METHODS = frozenset(
    {
        "capitalize", "count", "endswith", "find", "isalpha", "isdigit", "islower", "isupper",
        "lower", "lstrip", "removeprefix", "removesuffix", "rstrip", "split", "startswith",
        "strip", "title", "upper",
    }
)  # fmt: skip
_DICT_METHODS = frozenset({"get", "items", "keys", "values"})
# Attributes by kind of value; what is of no listed kind has none.
_ATTRIBUTES: tuple[tuple[type | tuple[type, ...], frozenset[str]], ...] = (
    (str, _TEXT_METHODS),
    (dict, _DICT_METHODS),
    ((list, tuple), frozenset({"count", "index"})),
    (float, frozenset({"is_integer"})),
    (
        (date, time),
        frozenset(
            {
                "date", "day", "hour", "isoformat", "isoweekday", "microsecond", "minute",
                "month", "second", "time", "weekday", "year",
            }
        ),
    ),
    (
        LoopContext,
        frozenset(
            {
                "changed", "cycle", "depth", "depth0", "first", "index", "index0", "last",
                "length", "nextitem", "previtem", "revindex", "revindex0",
            }
        ),
    ),
)  # fmt: skip


class SkipRecipient(Exception):  # noqa: N818 (a wish of the template's author, not an error)
    """The template decided that this person gets nothing; the argument says why."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all templates; they render within `bounds.OneEffort`."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self) -> None:
        # Without optimising, no constant expression runs while a template is only read.
        super().__init__(
            undefined=StrictUndefined, cache_size=0, optimized=False, finalize=_finalized
        )
        self.globals = {"range": _range, "skip": _skip}
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        # `syntax` puts calls of these into templates.
        self.walk = walk
        self.weighed = weighed
        self.sliced = sliced

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > MAX_SOURCE:
            raise TemplateSyntaxError(f"a template has at most {MAX_SOURCE} characters", 1)
        return restrict(super()._parse(source, name, filename))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers of ordinary size; `+` also puts texts or lists together."""
        spend(weigh(left, right))
        if operator == "**" or not (is_number(left, right) or _can_join(operator, left, right)):
            raise RenderError(f"`{operator}` is not available for these values")
        if operator == "*":
            bits = (one.bit_length() for one in (left, right) if isinstance(one, int))
            require_bits(sum(bits))
        if operator == "+" and not is_number(left, right):
            require_length(len(left) + len(right))
        return bounded(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063
        """Call a method or a global; it pays for its arguments and for what it returns."""
        if __obj is walk or __obj is weighed or __obj is sliced:
            return __obj(*args)
        owner = getattr(__obj, "__self__", None)
        given = (*args, *(kwargs[name] for name in kwargs.keys() - _OF_JINJA))
        spend(1 + weigh(owner, *given))
        if isinstance(owner, str):
            require_pattern(*given)
        return bounded(super().call(__context, __obj, *args, **kwargs))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute or item, as Jinja2 does."""
        spend(1)
        if isinstance(obj, dict) and attribute in obj and attribute not in _DICT_METHODS:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item or attribute, as Jinja2 does; only texts and numbers lead to one."""
        if not isinstance(argument, (str, int)):
            raise RenderError("an item is found by a text or a number")
        spend(1)
        return super().getitem(obj, argument)

    def wrap_str_format(self, value: Any) -> None:
        """Give no way around `is_safe_attribute`: formatting pads to any width."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow the attributes that are listed."""
        return super().is_safe_attribute(obj, attr, value) and any(
            isinstance(obj, kind) and attr in allowed for kind, allowed in _ATTRIBUTES
        )


def _can_join(operator: str, left: Any, right: Any) -> bool:
    kinds = (str, list, tuple)
    return operator == "+" and isinstance(left, kinds) and isinstance(right, kinds)


def _finalized(value: Any) -> Any:
    return value if type(value) is str else text_of(value)


def _range(*arguments: int) -> range:
    made = range(*arguments)
    if len(made) > _MAX_RANGE:
        raise RenderError(f"a range is longer than {_MAX_RANGE}")
    return made


def _skip(reason: str = "") -> str:
    raise SkipRecipient(text_of(reason).replace("\0", "").encode("utf-8", "replace").decode()[:500])
