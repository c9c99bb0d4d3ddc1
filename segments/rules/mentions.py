"""What a rule reads: to load facts, to warn, to know which changes concern it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from segments.rules.building import UNKNOWN_MILESTONES
from segments.rules.node import (
    Attribute,
    Bucket,
    Device,
    Event,
    Events,
    Followed,
    InCountry,
    InSegment,
    Message,
    Near,
    Node,
    OnList,
    Person,
    Ranking,
    Rfm,
    children,
    conditions,
)
from segments.rules.paths import Path, path_text


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a rule reads, with the segments it names once they were resolved."""

    attributes: frozenset[Path]
    events: frozenset[str]
    messages: bool
    devices: bool
    lists: frozenset[str]
    segments: frozenset[str]
    rankings: tuple[Ranking, ...]
    # What Carillon itself knows, by the names of the fields of `person`.
    about: frozenset[str]


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that is allowed and probably not meant."""

    pointer: str
    code: str
    message: str


def walk_all(node: Node) -> Iterator[Node]:
    """Yield a node, all nodes inside of it, and those of the segments it leads to."""
    yield node
    for child in children(node):
        yield from walk_all(child)
    if isinstance(node, InSegment) and node.rule is not None:
        yield from walk_all(node.rule)


def find_mentions(rule: Node) -> Mentions:
    """Return what a rule reads."""
    nodes = list(walk_all(rule))
    rankings = dict.fromkeys(one.ranking for one in nodes if isinstance(one, Rfm))
    return Mentions(
        attributes=frozenset(path for one in nodes for path in attribute_paths(one)),
        events=frozenset(one.name for node in nodes for one in _events(node)),
        messages=any(isinstance(one, Message) for one in nodes),
        devices=any(isinstance(one, Device) for one in nodes),
        lists=frozenset(one.list for one in nodes if isinstance(one, OnList)),
        segments=frozenset(one.segment for one in nodes if isinstance(one, InSegment)),
        rankings=tuple(rankings),
        about=frozenset(name for one in nodes for name in _about(one)),
    )


def attribute_paths(node: Node) -> tuple[Path, ...]:
    """Return the attributes one node reads."""
    match node:
        case Attribute():
            return (node.path,)
        case Near():
            return (node.latitude_path, node.longitude_path)
        case _:
            return ()


def _events(node: Node) -> tuple[Events, ...]:
    match node:
        case Event():
            return (node.events,)
        case Followed():
            return (node.first, node.then)
        case Rfm():
            return (Events(name=node.ranking.event),)
        case _:
            return ()


def _about(node: Node) -> Iterable[str]:
    match node:
        case Person():
            return (node.about,)
        case InCountry():
            return ("country",)
        case Bucket():
            return ("external_id",)
        case Attribute() if node.test.operator == "is_anniversary":
            return ("time_zone",)
        case _:
            return ()


def find_warnings(
    rule: Node, attributes: frozenset[str], events: frozenset[str]
) -> tuple[Warned, ...]:
    """Return what nobody can have: names that the app has never seen, and what is not kept yet.

    `attributes` are the known first names of paths, `events` the known names of events.
    """
    return tuple(
        warned for node in walk_all(rule) for warned in _warnings(node, attributes, events)
    )


def _warnings(node: Node, attributes: frozenset[str], events: frozenset[str]) -> Iterator[Warned]:
    for path in attribute_paths(node):
        if path[0] not in attributes:
            words = f"Nobody has an attribute `{path_text(path)}`."
            yield Warned(node.pointer, "unknown_attribute", words)
    for one in _events(node):
        if one.name not in events:
            yield Warned(node.pointer, "unknown_event", f"Nobody has done `{one.name}`.")
    yield from _empty_ranges(node)
    if isinstance(node, Message) and node.milestone in UNKNOWN_MILESTONES:
        words = f"What was {node.milestone} is not kept yet, so this holds for nobody."
        yield Warned(node.pointer, "not_kept", words)
    if isinstance(node, Message) and node.campaign is not None:
        words = "Which campaign a message is of is not kept yet, so this holds for nobody."
        yield Warned(node.pointer, "not_kept", words)


def _empty_ranges(node: Node) -> Iterator[Warned]:
    """Warn of ranges without anything in them; of moments only the clock tells that."""
    tests = [(one.pointer, one.test) for one in conditions(node)]
    if isinstance(node, Attribute | Event | Person):
        tests.append((node.pointer, node.test))
    for pointer, test in tests:
        if test.operator != "between":
            continue
        low, high = test.value
        if isinstance(low, int | Decimal) and isinstance(high, int | Decimal) and high < low:
            yield Warned(pointer, "empty_range", f"No number is between {low} and {high}.")
