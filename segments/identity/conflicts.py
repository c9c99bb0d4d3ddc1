"""Which value stays when two people become one; pure.

A value is better than none. Where both have one, the attribute's rule decides. What a rule can not
be applied to (a sum of texts, the lesser of a text and a number) goes to the newest.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class MergeRule(StrEnum):
    """How two values of an attribute become one."""

    NEWEST = "newest"
    KEEP = "keep"
    SUM = "sum"
    MIN = "min"
    MAX = "max"


class Choice(StrEnum):
    """What the merged person gets instead of its own value."""

    OWN = "own"
    OTHER = "other"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two holds, and when each value came; without an entry: at `since`."""

    values: Mapping[str, Any]
    since: datetime
    changed_at: Mapping[str, datetime] = field(default_factory=dict)

    def when(self, name: str) -> datetime:
        """Return when the value of `name` came."""
        return self.changed_at.get(name, self.since)


def decide(rules: Mapping[str, MergeRule], into: Side, other: Side) -> dict[str, Choice]:
    """Return the choice for each name whose value changes in `into`."""
    chosen = {
        name: _choose(rules.get(name, MergeRule.NEWEST), name, into, other)
        for name, value in other.values.items()
        if value is not None
    }
    return {name: choice for name, choice in chosen.items() if choice is not Choice.OWN}


def _choose(rule: MergeRule, name: str, into: Side, other: Side) -> Choice:
    own, theirs = into.values.get(name), other.values[name]
    if own is None:
        return Choice.OTHER
    if rule is MergeRule.KEEP:
        return Choice.OWN
    if rule is MergeRule.SUM and _can_be_added(own, theirs):
        return Choice.SUM
    if _same(own, theirs):
        return Choice.OWN
    if rule in {MergeRule.MIN, MergeRule.MAX} and _are_comparable(own, theirs):
        is_less = _key(theirs) < _key(own)
        return Choice.OTHER if is_less == (rule is MergeRule.MIN) else Choice.OWN
    return Choice.OTHER if other.when(name) > into.when(name) else Choice.OWN


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _can_be_added(one: Any, other: Any) -> bool:
    return _is_number(one) and _is_number(other) and math.isfinite(float(one) + float(other))


def _are_comparable(one: Any, other: Any) -> bool:
    both = (one, other)
    return all(map(_is_number, both)) or all(isinstance(value, str) for value in both)


def _key(value: Any) -> Any:
    # By code points, as PostgreSQL's collation "C" has it.
    return value.encode() if isinstance(value, str) else value


def _same(one: Any, other: Any) -> bool:
    # For Python True is 1; as JSON they differ.
    return type(one) is type(other) and one == other
