"""From a JSON document to a rule, or to everything that is wrong with it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import FieldError, InvalidPayloadError
from segments.rules.language import LANGUAGE
from segments.rules.node import InSegment, Node, OnList, children, conditions
from segments.rules.reading import INVALID, Form, Place, read_object

DEPTH_LIMIT = 10
NODES_LIMIT = 200
_TOO_DEEP = f"Nodes may be nested {DEPTH_LIMIT} levels deep."
_TOO_MANY = f"A rule may have {NODES_LIMIT} nodes; each condition inside of one counts, too."
_TYPES = ", ".join(f"`{name}`" for name in LANGUAGE)


def parse_rule(document: Any, pointer: str = "") -> Node:
    """Return the rule that a JSON value holds; `pointer` is where it stands in the payload.

    Raises `InvalidPayloadError` with a pointer, code and words for each mistake.
    """
    faults: list[FieldError] = []
    node = _Parser(NODES_LIMIT).read(document, Place(pointer, faults, _refuse))
    if not faults and isinstance(node, Node) and count_nodes(node) > NODES_LIMIT:
        faults.append(FieldError(pointer, "too_many_nodes", _TOO_MANY))
    if faults or not isinstance(node, Node):
        raise InvalidPayloadError("The rule is not acceptable.", fields=tuple(faults))
    return node


def _refuse(_value: Any, place: Place) -> Any:
    return place.refuse("invalid_value", "There can be no node here.")


class _Parser:
    """Reads nodes inside of nodes, and no more than there may be."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._depth = 0

    def read(self, value: Any, place: Place) -> Any:
        self._left -= 1
        if self._left < 0:
            return place.refuse("too_many_nodes", _TOO_MANY) if self._left == -1 else INVALID
        if self._depth >= DEPTH_LIMIT:
            return place.refuse("rule_too_deep", _TOO_DEEP)
        self._depth += 1
        try:
            return self._node(value, place)
        finally:
            self._depth -= 1

    def _node(self, value: Any, place: Place) -> Any:
        if not isinstance(value, Mapping):
            return place.refuse("wrong_type", "must be a node: an object with a `type`")
        if "type" not in value:
            return place.at("type").refuse("missing", f"must be one of {_TYPES}")
        kind = value["type"]
        if not isinstance(kind, str) or kind not in LANGUAGE:
            return place.at("type").refuse("unknown_node", f"must be one of {_TYPES}")
        word = LANGUAGE[kind]
        inside = Place(place.pointer, place.faults, self.read)
        given = {name: one for name, one in value.items() if name != "type"}
        values = read_object(given, inside, _fitting(word.forms, given))
        return word.build(values, inside) if isinstance(values, dict) else INVALID


def _fitting(forms: Any, given: Mapping[str, Any]) -> Any:
    """Return the forms to read: without choices, the one whose own fields are there."""
    if any(form.choices for form in forms) or len(forms) == 1:
        return forms
    best: Form = max(forms, key=lambda form: len(form.fields.keys() & given.keys()))
    return [best]


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all nodes inside of it."""
    yield node
    for child in children(node):
        yield from walk(child)


def count_nodes(node: Node) -> int:
    """Return how many nodes and conditions a rule has."""
    return sum(1 + len(conditions(one)) for one in walk(node))


def mentioned_segments(node: Node) -> frozenset[str]:
    """Return the segments a rule names."""
    return frozenset(one.segment for one in walk(node) if isinstance(one, InSegment))


def mentioned_lists(node: Node) -> frozenset[str]:
    """Return the static lists a rule names."""
    return frozenset(one.list for one in walk(node) if isinstance(one, OnList))
