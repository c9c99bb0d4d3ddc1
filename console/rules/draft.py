"""A rule while somebody builds it: a tree that can be changed, made of a rule and back. Pure."""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.rules import choices

_SERIALS = itertools.count(1)
_FORMS: Mapping[str, frozenset[str]] = {
    choices.ATTRIBUTE: frozenset({"name", "operator", "value"}),
    choices.EVENT: frozenset(
        {"name", "where", "measure", "property", "operator", "value", "window"}
    ),
    choices.DEVICE: frozenset({"match", "where"}),
    choices.PERSON: frozenset({"field", "operator", "value"}),
    choices.MESSAGE: frozenset({"milestone", "window"}),
    choices.LIST: frozenset({"list"}),
    choices.SEGMENT: frozenset({"segment"}),
}
_CONDITION = frozenset({"name", "field", "operator", "value"})
# What these say is a text, and what the others say is of any kind.
_TEXTS = frozenset(
    {"name", "field", "operator", "measure", "property", "match", "milestone", "list", "segment"}
)
# Beyond that a browser rounds whole numbers.
_WHOLE_LIMIT = 2**53
_START: Mapping[str, Mapping[str, Any]] = {
    choices.ATTRIBUTE: {"name": "", "operator": "equals"},
    choices.EVENT: {"name": "", "operator": "at_least", "value": 1},
    choices.DEVICE: {"match": "any"},
    choices.CONDITION: {"operator": "equals"},
    choices.PERSON: {"field": "created", "operator": "after", "value": "30 days ago"},
    choices.MESSAGE: {"milestone": "accepted"},
}


@dataclass(slots=True)
class Draft:
    """A node: a group with others `inside`, or a leaf with the `fields` of its node.

    Inside of an event or a device are the conditions of its `where`.

    `serial` is never used twice, so that what belongs to one node never meets another.
    """

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    inside: "list[Draft]" = field(default_factory=list)
    serial: int = field(default_factory=lambda: next(_SERIALS))

    @property
    def is_group(self) -> bool:
        """Tell whether others are inside."""
        return self.kind in choices.GROUPS


class UnreadableRuleError(ValueError):
    """It is no JSON object."""


def fresh(kind: str) -> Draft:
    """Return a node somebody has just added."""
    if kind == choices.OTHER:
        return Draft(kind, {"text": '{"type": "all", "of": []}'})
    return Draft(kind, dict(_START.get(kind, {})))


def read_text(text: str) -> Draft:
    """Return the draft of a rule in JSON; raise `UnreadableRuleError` when it is none."""
    return read_rule(_object_of(text, "A rule"))


def _object_of(text: str, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UnreadableRuleError(f"{what} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnreadableRuleError(f"{what} is an object in JSON.")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number that a rule can have")


def _finite(number: str) -> float:
    found = float(number)
    if math.isinf(found):
        _refuse(number)
    return found


def read_rule(rule: Mapping[str, Any]) -> Draft:
    """Return the draft of a rule; its outermost node is always a group."""
    draft = _read(rule)
    return draft if draft.is_group else Draft(choices.ALL, inside=[draft])


def _read(rule: Any) -> Draft:
    return _group(rule) or _leaf(rule) or Draft(choices.OTHER, {"text": _pretty(rule)})


def _group(rule: Any) -> Draft | None:
    if not isinstance(rule, dict) or rule.keys() != {"type", "of"}:
        return None
    kind, inside = rule["type"], rule["of"]
    if kind in (choices.ALL, choices.ANY) and isinstance(inside, list):
        return Draft(kind, inside=[_read(one) for one in inside])
    if kind != "not" or not isinstance(inside, dict):
        return None
    denied = _read(inside)
    return Draft(choices.NONE, inside=denied.inside if denied.kind == choices.ANY else [denied])


def _leaf(rule: Any) -> Draft | None:
    kind = rule.get("type") if isinstance(rule, dict) else None
    if not isinstance(kind, str) or kind not in _FORMS:
        return None
    fields = {name: value for name, value in rule.items() if name not in ("type", "where")}
    where = rule.get("where", [])
    has_form = rule.keys() - {"type"} <= _FORMS[kind] and _can_be_shown(fields)
    if not has_form or not isinstance(where, list) or not all(map(_is_condition, where)):
        return None
    return Draft(kind, fields, [Draft(choices.CONDITION, dict(one)) for one in where])


def _is_condition(one: Any) -> bool:
    return isinstance(one, dict) and one.keys() <= _CONDITION and _can_be_shown(one)


def _can_be_shown(fields: Mapping[str, Any]) -> bool:
    """Tell whether a form shows these without losing anything."""
    value = fields.get("value")
    are_texts = all(isinstance(fields[name], str) for name in fields.keys() & _TEXTS)
    return are_texts and all(map(_is_exact, value if isinstance(value, list) else [value]))


def _is_exact(value: Any) -> bool:
    return not isinstance(value, int) or -_WHOLE_LIMIT <= value <= _WHOLE_LIMIT


def _pretty(rule: Any) -> str:
    return json.dumps(rule, indent=2, ensure_ascii=False)


def to_rule(draft: Draft) -> dict[str, Any]:
    """Return the rule of a draft; raise `UnreadableRuleError` for a node whose JSON is none."""
    if draft.kind == choices.NONE:
        return {"type": "not", "of": {"type": choices.ANY, "of": _inside(draft)}}
    if draft.is_group:
        return {"type": draft.kind, "of": _inside(draft)}
    if draft.kind != choices.OTHER:
        where = {"where": [dict(one.fields) for one in draft.inside]} if draft.inside else {}
        return {"type": draft.kind, **draft.fields, **where}
    return _object_of(draft.fields["text"], "A condition")


def _inside(draft: Draft) -> list[dict[str, Any]]:
    return [to_rule(one) for one in draft.inside]


def remove(root: Draft, serial: int) -> None:
    """Take a node out, with what is inside."""
    root.inside[:] = [one for one in root.inside if one.serial != serial]
    for one in root.inside:
        remove(one, serial)


def path_of(name: str) -> str:
    """Return the path of a name: dots lead into objects, unless they are written so."""
    return name.replace("\\", "\\\\").replace(".", "\\.")


def place_of(root: Draft, pointer: str) -> tuple[str, str]:
    """Return the number of the node a pointer of the API leads to, and what is left of it.

    The number is empty for the outermost. `/rule/of/1/value` is (`2`, `value`).
    """
    steps = pointer.split("/")[2:] if pointer.startswith("/rule") else pointer.split("/")
    draft, before = root, ""
    while draft.is_group and steps[:1] == ["of"]:
        at = 2 if draft.kind == choices.NONE and steps[1:2] == ["of"] else 1
        place = steps[at] if len(steps) > at and steps[at].isdecimal() else ""
        if not place or int(place) >= len(draft.inside):
            break
        before = f"{before}.{int(place) + 1}".lstrip(".")
        draft, steps = draft.inside[int(place)], steps[at + 1 :]
    return before, " ".join(step for step in steps if step)
