"""What the API answers about segments, as values. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.answers import checked, read
from console.errors import Fault


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment with its rule; `tag` guards a change, where it was read alone."""

    id: str
    name: str
    description: str | None
    rule: Mapping[str, Any]
    version: int
    updated_at: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many a rule means, and how many are left after each step; warnings point at nodes."""

    people: int
    deliverable: int | None
    steps: Mapping[str, int]
    platforms: Mapping[str, Mapping[str, int]]
    warnings: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute people have: its most frequent type, and values that are seen often."""

    name: str
    type: str | None
    people: int
    examples: Sequence[Any]


@dataclass(frozen=True, slots=True)
class StaticList:
    """A static list."""

    id: str
    name: str
    people: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a node holds for a person, and why."""

    holds: bool
    words: str
    inside: "Sequence[Finding]"


def read_segment(item: Any, tag: str = "") -> Segment:
    """Return a segment."""
    return checked(lambda: read(Segment, {**item, "rule": dict(item["rule"]), "tag": tag}))


def read_reach(item: Any) -> Reach:
    """Return the reach of a rule."""

    def reach() -> Reach:
        return Reach(
            int(item["people"]),
            item["deliverable"],
            {str(one["step"]): int(one["people"]) for one in item["waterfall"]},
            item["platforms"] or {},
            [Fault(one["pointer"], one["code"], one["message"]) for one in item["warnings"]],
        )

    return checked(reach)


def read_attribute(item: Any) -> Attribute:
    """Return an attribute."""

    def attribute() -> Attribute:
        types: Mapping[str, int] = item["types"]
        kind = item["type"] or max(types, key=lambda one: types[one], default=None)
        values = item["values"] or {}
        return Attribute(item["name"], kind, item["people"], values.get("examples", []))

    return checked(attribute)


def read_finding(item: Any) -> Finding:
    """Return what was found at a node and inside of it."""
    return checked(
        lambda: Finding(
            bool(item["holds"]), str(item["words"]), [read_finding(one) for one in item["inside"]]
        )
    )
