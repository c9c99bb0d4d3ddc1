"""Simple templates as plain functions: text, variables and common filters. Pure.

A simple template gives the text that Jinja2 gives, or none at all: then Jinja2 has to say.
"""

import unicodedata
from dataclasses import dataclass

import orjson
from jinja2 import nodes

from campaigns.bounds import is_encodable
from campaigns.facts import Facts, Layout, parse
from campaigns.steps import MISSING, MOST, Step, make_step, plain

# More than one step can cost in the sandbox, whatever value of ordinary size it works on.
_COST = 500
_MAX_COST = 10_000
# What these names mean is not up to a person's attributes alone.
_NOT_ATTRIBUTES = frozenset({"caller", "kwargs", "loop", "range", "self", "skip", "varargs"})


# Where a value goes in: the place of its fact, whether that is JSON, and the filters.
Hole = tuple[int, bool, tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Simple:
    """A compiled template; `cost` is at least what rendering it costs in the sandbox."""

    frame: str
    holes: tuple[Hole, ...]
    longest: int
    cost: int

    def render(self, facts: Facts) -> str | None:
        """Return the text, None when a value is missing or out of the ordinary."""
        texts = []
        try:
            for at, is_json, steps in self.holes:
                value = facts[at]
                if value is None:
                    value = MISSING if is_json else None
                elif len(value) > MOST:
                    return None
                elif is_json:
                    value = _loads(value) if value[0] == '"' else parse(value)
                for step in steps:
                    value = step(value)
                texts.append(value if type(value) is str else plain(value))
        except Exception:  # noqa: BLE001 (whatever fails here, Jinja2 gives the answer)
            return None
        text = self.frame % tuple(texts)
        if len(text) > self.longest or "\0" in text or not (text.isascii() or is_encodable(text)):
            return None
        return text


_loads = orjson.loads


def compile_simple(tree: nodes.Template, layout: Layout, longest: int) -> Simple | None:
    """Return the template as a function, None when it is not simple.

    `longest` is how many characters a rendered text may have.
    """
    frame, holes, cost = "", [], 0
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for part in output.nodes:
            if isinstance(part, nodes.TemplateData):
                frame += part.data.replace("%", "%%")
                continue
            hole = _hole(part, layout)
            if hole is None:
                return None
            frame += "%s"
            holes.append(hole)
            cost += _COST * (1 + len(hole[2]))
    return Simple(frame, tuple(holes), longest, cost) if cost <= _MAX_COST else None


def _hole(node: nodes.Node, layout: Layout) -> Hole | None:
    steps: list[Step] = []
    while isinstance(node, nodes.Filter) and node.node is not None:
        step = _step(node)
        if step is None:
            return None
        steps.insert(0, step)
        node = node.node
    if isinstance(node, nodes.Name) and not _is_attribute(node.name):
        return None
    place = layout.place(node)
    return None if place is None else (*place, tuple(steps))


def _is_attribute(name: str) -> bool:
    # Jinja2 makes Python variables of names, and Python takes some names for the same.
    return name not in _NOT_ATTRIBUTES and unicodedata.is_normalized("NFKC", name)


def _step(node: nodes.Filter) -> Step | None:
    keywords = [str(pair.key) for pair in node.kwargs]
    given = [*node.args, *(pair.value for pair in node.kwargs)]
    values = [one.value for one in given if isinstance(one, nodes.Const)]
    if node.dyn_args or node.dyn_kwargs or len(values) < len(given):
        return None
    count = len(node.args)
    return make_step(node.name, values[:count], dict(zip(keywords, values[count:], strict=True)))
