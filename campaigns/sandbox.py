"""What templates may do: Jinja2's sandbox, without anything that grows or runs unboundedly.

The source is at most a few thousand characters. Nothing may multiply beyond it: no assignments,
macros or nested loops, a short list of filters and methods, and bounds on every operator.
"""

from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

_MAX_RANGE = 1_000
_MAX_LENGTH = 10_000
_MAX_BITS = 512
_FILTERS = frozenset(
    {
        "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float",
        "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject",
        "rejectattr", "replace", "reverse", "round", "select", "selectattr", "sort", "string",
        "sum", "title", "trim", "truncate", "unique", "upper", "wordcount",
    }
)  # fmt: skip
_TEXT_METHODS = frozenset(
    {
        "capitalize", "count", "endswith", "find", "isalpha", "isdigit", "islower", "isupper",
        "lower", "lstrip", "removeprefix", "removesuffix", "rstrip", "split", "startswith",
        "strip", "title", "upper",
    }
)  # fmt: skip
_REFUSED = (
    nodes.Assign, nodes.AssignBlock, nodes.With, nodes.Macro, nodes.CallBlock, nodes.Block,
    nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport,
)  # fmt: skip


class RenderError(Exception):
    """A text can not be rendered for this person; the argument says why, for people."""


class SkipRecipient(Exception):  # noqa: N818 (a wish of the template's author, not an error)
    """The template decided that this person gets nothing; the argument says why."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all templates."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        # Without optimising, no constant expression runs while a template is only read.
        super().__init__(undefined=StrictUndefined, cache_size=0, optimized=False)
        self.globals = {"range": _range, "skip": _skip}
        self.filters = {name: self.filters[name] for name in _FILTERS} | {"replace": _replace}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for node in tree.find_all(_REFUSED):
            what = type(node).__name__.lower()
            raise TemplateSyntaxError(f"`{what}` is not available here", node.lineno)
        for loop in tree.find_all(nodes.For):
            if loop.recursive or any(True for _ in loop.find_all(nodes.For)):
                raise TemplateSyntaxError("loops can not be nested", loop.lineno)
        return tree

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate, unless the result could be larger than any text or number needs to be."""
        if operator == "**" or (operator == "%" and not _are_numbers(left, right)):
            raise RenderError(f"`{operator}` is not available for these values")
        if operator == "*" and not (_are_numbers(left, right) and _bits(left, right) <= _MAX_BITS):
            raise RenderError("`*` is only available for numbers of ordinary size")
        is_joined = operator == "+" and not _are_numbers(left, right)
        if is_joined and len(left) + len(right) > _MAX_LENGTH:
            raise RenderError(f"a value is longer than {_MAX_LENGTH}")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow the methods of texts that can not make them longer."""
        if isinstance(obj, (str, bytes)):
            return isinstance(obj, str) and attr in _TEXT_METHODS
        return super().is_safe_attribute(obj, attr, value)


def _are_numbers(left: Any, right: Any) -> bool:
    return isinstance(left, (int, float)) and isinstance(right, (int, float))


def _bits(left: float, right: float) -> int:
    return sum(one.bit_length() for one in (left, right) if isinstance(one, int))


def _replace(text: Any, old: str, new: str) -> str:
    source = str(text)
    if not old or len(source) + source.count(old) * len(new) > _MAX_LENGTH:
        raise RenderError(f"a replacement is empty or longer than {_MAX_LENGTH}")
    return source.replace(old, new)


def _range(*arguments: int) -> range:
    made = range(*arguments)
    if len(made) > _MAX_RANGE:
        raise RenderError(f"a range is longer than {_MAX_RANGE}")
    return made


def _skip(reason: str = "") -> str:
    raise SkipRecipient(str(reason).replace("\0", "").encode("utf-8", "replace").decode()[:500])
