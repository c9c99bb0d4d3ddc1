"""Which parts of Jinja2's language templates may use, and how those are made to pay.

Everything is refused that is not listed: a newer Jinja2 opens no door. Loops pay for each round,
comparisons for what they compare, and `~` becomes the filter `join`, which is bounded.
"""

from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

MAX_SOURCE = 20_000
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If,
    nodes.Name, nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword,
    nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr,
    nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand, nodes.BinExpr, nodes.UnaryExpr,
)  # fmt: skip


def restrict(tree: nodes.Template) -> nodes.Template:
    """Return the tree of a template, made to pay; raise `TemplateSyntaxError` for what it lacks."""
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            what = type(node).__name__.lower()
            raise TemplateSyntaxError(f"`{what}` is not available here", node.lineno or 1)
        if getattr(node, "dyn_args", None) or getattr(node, "dyn_kwargs", None):
            raise TemplateSyntaxError("`*` and `**` are not available here", node.lineno or 1)
    for loop in tree.find_all(nodes.For):
        if loop.recursive or any(True for _ in loop.find_all(nodes.For)):
            raise TemplateSyntaxError("loops can not be nested", loop.lineno)
    environment = tree.environment
    paying = _Paying().visit(tree)
    paying.set_environment(environment)
    return paying  # type: ignore[no-any-return]


class _Paying(NodeTransformer):
    """Lets what works without any filter or call pay as well."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 (named by Jinja2)
        """Let each round pay for as much as stands in the loop."""
        cost = sum(1 for _ in node.find_all(nodes.Node))
        self.generic_visit(node)
        node.iter = _called("walk", node.iter, nodes.Const(cost, lineno=node.lineno))
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 (named by Jinja2)
        """Let both sides pay for what they hold."""
        self.generic_visit(node)
        node.expr = _weighed(node.expr)
        for operand in node.ops:
            operand.expr = _weighed(operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 (named by Jinja2)
        """Let a part of a text or list pay for its length; Jinja2 asks nobody about slices."""
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        edges = (node.arg.start, node.arg.stop, node.arg.step)
        nothing = nodes.Const(None, lineno=node.lineno)
        return _called("sliced", node.node, *(edge or nothing for edge in edges))

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 (named by Jinja2)
        """Join the parts by the filter."""
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _called("weighed", node)


def _called(name: str, *arguments: Any) -> nodes.Expr:
    line = arguments[0].lineno
    function = nodes.EnvironmentAttribute(name, lineno=line)
    return nodes.Call(function, list(arguments), [], None, None, lineno=line)
