"""The sequential model of identity: what each step does to people, one after the other. Pure."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One thing that somebody does."""

    kind: str  # event, put, device, consent, alias, identify, merge, undo
    first: str
    second: str = ""
    value: Any = None


@dataclass(eq=False)
class One:
    """A person: what it is called, holds, did and owns."""

    own: str
    attributes: dict[str, int] = field(default_factory=dict)
    events: list[int] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)
    push: tuple[int, bool] | None = None


@dataclass(eq=False)
class Joined:
    """A merge that holds: what both were, and which names came."""

    into: One
    other: One
    names: set[str]
    before: One
    after: One


class RefusedError(Exception):
    """The step changes nothing."""


class Model:
    """All people of an app. `number` is the place of the step, and so the time of it."""

    def __init__(self) -> None:
        self.names: dict[str, One] = {}
        self.merges: dict[int, Joined] = {}
        self.undone: set[int] = set()

    def take(self, step: Step, number: int) -> None:
        """Do a step; raise `RefusedError`."""
        getattr(self, f"_{step.kind}")(step, number)

    def _made(self, name: str) -> One:
        return self.names.setdefault(name, One(name))

    def _event(self, step: Step, number: int) -> None:
        for name in (step.first, step.second):
            self._made(name).events.append(step.value)

    def _put(self, step: Step, number: int) -> None:
        # `sum` is added up by a merge, `least` is the lesser one of both.
        for name in (step.first, step.second):
            self._made(name).attributes.update(step.value)

    def _device(self, step: Step, number: int) -> None:
        if step.first not in self.names:
            raise RefusedError
        for one in self._people():
            one.devices.discard(step.second)
        self.names[step.first].devices.add(step.second)

    def _consent(self, step: Step, number: int) -> None:
        self._made(step.first).push = (number, step.value)

    def _alias(self, step: Step, number: int) -> None:
        one = self.names.get(step.first)
        if one is None or self.names.get(step.second, one) is not one:
            raise RefusedError
        self._name(one, step.second)

    def _name(self, one: One, name: str) -> None:
        self.names[name] = one
        if one.own.startswith("anonymous:") and not name.startswith("anonymous:"):
            one.own = name

    def _identify(self, step: Step, number: int) -> None:
        anonymous, known = self.names.get(step.first), self.names.get(step.second)
        if anonymous is None:
            self._name(known or self._made(step.second), step.first)
        elif known is None:
            if not anonymous.own.startswith("anonymous:"):
                raise RefusedError
            self._name(anonymous, step.second)
        elif known is not anonymous:
            if not anonymous.own.startswith("anonymous:"):
                raise RefusedError
            self._join(known, anonymous, number)

    def _merge(self, step: Step, number: int) -> None:
        into, other = self.names.get(step.first), self.names.get(step.second)
        if into is None or other is None or step.first == step.second:
            raise RefusedError
        if into is other:
            came = [one.names for one in self.merges.values() if one.into is into]
            if not any({step.first, step.second} & names for names in came):
                raise RefusedError
            return
        if into.own.startswith("anonymous:") and not other.own.startswith("anonymous:"):
            raise RefusedError
        self._join(into, other, number)

    def _join(self, into: One, other: One, number: int) -> None:
        names = {name for name, one in self.names.items() if one is other}
        joined = Joined(into, deepcopy(other), names, deepcopy(into), into)
        into.attributes = self._combined(into.attributes, other.attributes)
        into.events += other.events
        into.devices |= other.devices
        # The newer one; none is older than all.
        into.push = max(into.push or (0, False), other.push or (0, False))
        into.push = into.push if into.push[0] else None
        self.names.update(dict.fromkeys(names, into))
        joined.after = deepcopy(into)
        self.merges[number] = joined

    def _combined(self, own: dict[str, int], other: dict[str, int]) -> dict[str, int]:
        rules: dict[str, Callable[[int, int], int]] = {"sum": int.__add__, "least": min}
        both = {name: rules[name](own[name], other[name]) for name in own.keys() & other.keys()}
        return {**other, **own, **both}

    def _undo(self, step: Step, number: int) -> None:
        at = step.value
        if at in self.undone:
            return
        joined = self.merges.get(at)
        later = [one for one in self.merges if one > at] if joined else []
        if (
            joined is None
            or any(self.merges[one].into is joined.into for one in later)
            or all(one is not joined.into for one in self._people())
        ):
            raise RefusedError
        del self.merges[at]
        self.undone.add(at)
        self._separate(joined)

    def _separate(self, joined: Joined) -> None:
        into, other, before, after = joined.into, joined.other, joined.before, joined.after
        for name in before.attributes.keys() | after.attributes.keys():
            changed = before.attributes.get(name) != after.attributes.get(name)
            if changed and into.attributes.get(name) == after.attributes.get(name):
                into.attributes.pop(name, None)
                if name in before.attributes:
                    into.attributes[name] = before.attributes[name]
        for one in other.events:
            into.events.remove(one)
        other.devices &= into.devices
        into.devices -= other.devices
        if into.push == after.push and before.push != after.push:
            into.push = before.push
        for earlier in self.merges.values():
            # Whoever had been taken in before comes back with the one who took them in.
            earlier.into = other if earlier.into.own == other.own else earlier.into
        self.names.update(dict.fromkeys(joined.names, other))

    def _people(self) -> list[One]:
        return list({id(one): one for one in self.names.values()}.values())

    def picture(self) -> dict[str, Any]:
        """Return everybody by their own names."""
        return {
            one.own: {
                "names": sorted(name for name, who in self.names.items() if who is one),
                "attributes": one.attributes,
                "events": sorted(one.events),
                "devices": sorted(one.devices),
                "push": one.push[1] if one.push else None,
            }
            for one in self._people()
        }
