"""What the templates of a message read of a recipient, found before anything is rendered. Pure.

Facts are a row of `read_facts` with the recipient's own locale, time zone and platform behind it.
Attributes stay JSON texts until a template needs their values: equal texts are equal values.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from jinja2 import nodes

from campaigns.bounds import is_encodable

Facts = Sequence[Any]

# In a row of `read_facts`.
WHOLE, EXTERNAL_ID, LOCALE, TIME_ZONE, COUNTRY = range(1, 6)
_FIRST_ATTRIBUTE = 6
# The last four stand behind the row: a person's locale and time zone, or else the device's, then
# the device's platform and locale.
_ABOUT = {"external_id": EXTERNAL_ID, "locale": -4, "time_zone": -3, "country": COUNTRY}
_DEVICE = {"platform": -2, "locale": -1}
# Numbers with more digits than this are not all the same for every parser.
_SHORT = 16
# `person.items` is the method, even if there is an attribute of that name.
_METHODS = frozenset({"get", "items", "keys", "values"})


@dataclass(frozen=True, slots=True)
class Uses:
    """What a template reads: attributes by name, of `person` by name or as a whole, `device`."""

    names: frozenset[str] = frozenset()
    of_person: frozenset[str] = frozenset()
    whole: bool = False
    device: bool = False

    @classmethod
    def of(cls, listed: Iterable["Uses"]) -> "Uses":
        """Return what some templates read together."""
        names: frozenset[str] = frozenset()
        of_person: frozenset[str] = frozenset()
        whole = device = False
        for one in listed:
            names, of_person = names | one.names, of_person | one.of_person
            whole, device = whole or one.whole, device or one.device
        return cls(names, of_person, whole, device)

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes it reads by name."""
        return self.names | (self.of_person - _ABOUT.keys())

    @property
    def recipient(self) -> bool:
        """Whether it reads what can come from the device."""
        return self.whole or self.device or not self.of_person.isdisjoint({"locale", "time_zone"})


def find_uses(tree: nodes.Node) -> Uses:
    """Return what a template reads, or more; never less."""
    names: set[str] = set()
    of_person: set[str] = set()
    whole = device = False
    waiting: list[nodes.Node] = [tree]
    while waiting:
        node = waiting.pop()
        name = name_in_person(node)
        if name is not None:
            of_person.add(name)
            # An attribute that can not be: what there is instead has to be there.
            whole |= not _is_storable(name)
        elif isinstance(node, nodes.Name):
            whole |= node.name == "person"
            device |= node.name == "device"
            names.add(node.name)
        else:
            waiting += node.iter_child_nodes()
    names -= {"person", "device"}
    return Uses(
        frozenset(filter(_is_storable, names)),
        frozenset(filter(_is_storable, of_person)),
        whole,
        device,
    )


def _is_storable(name: str) -> bool:
    # PostgreSQL holds no attribute of any other name.
    return "\0" not in name and is_encodable(name)


def name_in_person(node: nodes.Node) -> str | None:
    """Return the name in `person.name` or `person['name']`."""
    return _name_in(node, "person")


def _name_in(node: nodes.Node, owner: str) -> str | None:
    if not (
        isinstance(node, (nodes.Getattr, nodes.Getitem))
        and isinstance(node.node, nodes.Name)
        and node.node.name == owner
    ):
        return None
    name: Any = None
    if isinstance(node, nodes.Getattr):
        name = node.attr
    elif isinstance(node.arg, nodes.Const):
        name = node.arg.value
    return name if isinstance(name, str) and name not in _METHODS else None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each fact stands for the templates of one message."""

    names: tuple[str, ...]
    whole: bool
    recipient: bool
    person: bool

    @classmethod
    def of(cls, uses: Iterable[Uses]) -> "Layout":
        """Return the layout that has room for all that is used."""
        used = Uses.of(uses)
        names = tuple(sorted(used.attributes))
        person = bool(names or used.of_person or used.whole)
        return cls(names, used.whole, used.recipient, person)

    def nobody(self) -> Facts:
        """Return the row of a recipient without a person."""
        return (None, "{}" if self.whole else None, *(None,) * (4 + len(self.names)))

    def place(self, node: nodes.Node) -> tuple[int, bool] | None:
        """Return where the value of an expression stands, and whether as JSON text."""
        if isinstance(node, nodes.Name) and node.name not in {"person", "device"}:
            return self._attribute(node.name)
        name = name_in_person(node)
        if name is not None:
            return (_ABOUT[name], False) if name in _ABOUT else self._attribute(name)
        name = _name_in(node, "device")
        return (_DEVICE[name], False) if name is not None and name in _DEVICE else None

    def _attribute(self, name: str) -> tuple[int, bool] | None:
        return (self.at(name), True) if name in self.names else None

    def at(self, name: str) -> int:
        """Return where an attribute stands."""
        return _FIRST_ATTRIBUTE + self.names.index(name)

    def places(self, uses: Uses) -> tuple[int, ...]:
        """Return where everything stands that a template reads."""
        found = {self.at(name) for name in uses.attributes}
        found |= {_ABOUT[name] for name in uses.of_person & _ABOUT.keys()}
        if uses.whole:
            found |= {WHOLE, *_ABOUT.values()}
        if uses.device:
            found |= set(_DEVICE.values())
        return tuple(sorted(found))

    def values(self, uses: Uses, facts: Facts) -> dict[str, Any]:
        """Return the variables a template reads, as `preparer.variables` has them."""
        values = self._attributes(uses.names, facts)
        if uses.whole or uses.of_person:
            named = self._attributes(uses.of_person - _ABOUT.keys(), facts)
            attributes = parse(facts[WHOLE]) if uses.whole else named
            about = [name for name in _ABOUT if uses.whole or name in uses.of_person]
            values["person"] = attributes | {name: facts[_ABOUT[name]] for name in about}
        if uses.device:
            values["device"] = {name: facts[at] for name, at in _DEVICE.items()}
        return values

    def _attributes(self, names: Iterable[str], facts: Facts) -> dict[str, Any]:
        texts = {name: facts[self.at(name)] for name in names}
        return {name: parse(text) for name, text in texts.items() if text is not None}


def parse(text: str) -> Any:
    """Return the value of a JSON text from PostgreSQL."""
    if text[0] == '"' or len(text) < _SHORT:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            # Half a surrogate pair: PostgreSQL holds none.
            return json.loads(text)
    return json.loads(text)
