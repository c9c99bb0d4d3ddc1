"""The nodes of a rule as values. A node's pointer says where it was written; it compares not.

Whatever has two ways to be written is held in one: numbers as `Decimal`, moments by their parts,
lists sorted and without repetitions.
"""

from dataclasses import dataclass, field
from typing import Any

from segments.rules.moments import Length, Window
from segments.rules.paths import Path

EVER = Window()


@dataclass(frozen=True, slots=True)
class Comparison:
    """An operator and what it compares with; the value's type follows from the operator."""

    operator: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What a value at a path must be: of an event's properties, or of a device by its field."""

    path: Path
    test: Comparison
    pointer: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every node has."""

    pointer: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class All(Node):
    """Holds if all of its nodes do; without any, it holds for everybody."""

    of: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Some(Node):
    """Holds if one of its nodes does; without any, it holds for nobody."""

    of: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    """Holds if its node does not."""

    of: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Node):
    """Compares an attribute of the person."""

    path: Path
    test: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events of a name whose properties meet all conditions."""

    name: str
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Node):
    """Compares a measure of a person's events: their count, a sum, the first, the last."""

    events: Events
    measure: str
    test: Comparison
    amount: Path | None = None
    window: Window = EVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed(Node):
    """Did one thing, then within a length of time another, or not."""

    first: Events
    then: Events
    within: Length
    negated: bool
    window: Window = EVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Device(Node):
    """Looks at the person's devices: any, or every one of at least one."""

    every: bool
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Node):
    """What became of a message, or of any, for this person."""

    milestone: str
    message: str | None = None
    campaign: str | None = None
    window: Window = EVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Node):
    """Compares what we ourselves know about a person."""

    about: str
    test: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Near(Node):
    """Is within some kilometres of a point; the person's own place stands in two attributes."""

    latitude: float
    longitude: float
    within_km: float
    latitude_path: Path
    longitude_path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class InCountry(Node):
    """Lives in one of these countries."""

    countries: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """A ranking of everybody who did something: by when last, how often, or how much."""

    event: str
    measure: str
    quantiles: int
    amount: Path | None = None
    window: Window = EVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfm(Node):
    """Has one of these scores in a ranking; 1 is the lowest."""

    ranking: Ranking
    scores: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnList(Node):
    """Is on a static list."""

    list: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegment(Node):
    """Is in another segment, whose own rule is known once the segment was looked up."""

    segment: str
    rule: Node | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket(Node):
    """Falls into one of 10,000 equal parts, by a hash of a salt and the person's id."""

    salt: str
    first: int
    last: int


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes inside of a node."""
    if isinstance(node, All | Some):
        return node.of
    return (node.of,) if isinstance(node, Not) else ()


def conditions(node: Node) -> tuple[Condition, ...]:
    """Return the conditions inside of a node."""
    match node:
        case Event():
            return node.events.where
        case Followed():
            return node.first.where + node.then.where
        case Device():
            return node.where
        case _:
            return ()
