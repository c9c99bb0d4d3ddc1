"""Why a rule holds or fails for one person: the answer of each node, in plain words. Pure."""

from dataclasses import dataclass
from typing import Any

from segments.rules import measuring, wording
from segments.rules.building import BUCKETS, UNKNOWN_MILESTONES
from segments.rules.canonical import ranking_key
from segments.rules.evaluate import device_holds, evaluate
from segments.rules.facts import Facts
from segments.rules.moments import Clock
from segments.rules.node import (
    All,
    Attribute,
    Bucket,
    Device,
    Event,
    Followed,
    InCountry,
    InSegment,
    Message,
    Near,
    Node,
    Not,
    OnList,
    Person,
    Rfm,
    Some,
)
from segments.rules.paths import MISSING, find, path_text


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a node holds for a person, why, and what was found inside of it."""

    pointer: str
    holds: bool
    words: str
    inside: "tuple[Finding, ...]" = ()


def explain(rule: Node, facts: Facts, clock: Clock) -> Finding:
    """Return what was found at every node; `holds` is what `evaluate` says."""
    holds = evaluate(rule, facts, clock)
    inside = tuple(explain(one, facts, clock) for one in _inside(rule))
    if isinstance(rule, All | Some | Not | InSegment):
        return Finding(rule.pointer, holds, _group_words(rule, inside), inside)
    return Finding(rule.pointer, holds, _Words(facts, clock, holds=holds).say(rule))


def _inside(rule: Node) -> tuple[Node, ...]:
    match rule:
        case All() | Some():
            return rule.of
        case Not():
            return (rule.of,)
        case InSegment():
            return () if rule.rule is None else (rule.rule,)
        case _:
            return ()


def _group_words(rule: Node, inside: tuple[Finding, ...]) -> str:
    count = sum(one.holds for one in inside)
    match rule:
        case All() if not inside:
            return "nothing is asked, so it holds for everybody"
        case Some() if not inside:
            return "nothing is offered, so it holds for nobody"
        case All() | Some():
            wanted = "all of them must" if isinstance(rule, All) else "one of them must"
            return f"{count} of {len(inside)} hold, and {wanted}"
        case InSegment():
            answer = "is" if count else "is not"
            return f"the person {answer} in the segment {rule.segment}"
        case _:
            return f"what is inside {'holds' if count else 'does not hold'}"


class _Words:
    """Says why a leaf holds or fails."""

    def __init__(self, facts: Facts, clock: Clock, *, holds: bool) -> None:
        self._facts = facts
        self._clock = clock
        self._holds = holds

    def say(self, node: Node) -> str:  # noqa: C901, PLR0911 (one case for each node)
        match node:
            case Attribute():
                value = find(self._facts.attributes, node.path)
                name = f"the attribute `{path_text(node.path)}`"
                return wording.compared(name, value, node.test, holds=self._holds)
            case Event():
                return self._event(node)
            case Followed():
                return self._followed(node)
            case Device():
                return self._device(node)
            case Message():
                return self._message(node)
            case Person():
                return self._person(node)
            case Near():
                return self._near(node)
            case InCountry():
                country = self._facts.country or "unknown"
                listed = self._either("one of", "none of")
                return f"the country is {country}, {listed} {', '.join(node.countries)}"
            case Rfm():
                return self._rfm(node)
            case OnList():
                return f"the person is {self._either('', 'not ')}on the list {node.list}"
            case Bucket():
                part = measuring.bucket_of(node, self._facts.external_id)
                where = self._either("in", "outside of")
                return f"part {part} of {BUCKETS} is {where} {node.first} to {node.last}"
            case _:
                raise TypeError(type(node).__name__)

    def _either(self, positive: str, negative: str) -> str:
        return positive if self._holds else negative

    def _event(self, node: Event) -> str:
        done = measuring.events_in(node.events, node.window, self._facts, self._clock)
        name = f"`{node.events.name}`{wording.window(node.window)}"
        asked = wording.asked(node.test, holds=self._holds)
        if node.measure == "count":
            return f"the person did {name} {len(done)} times, which is {asked}"
        value: Any
        if node.amount is None:
            what, value = f"the {node.measure} {name}", measuring.last_moment(node.measure, done)
        else:
            what = f"the {node.measure} of `{path_text(node.amount)}` of {name}"
            value = measuring.aggregate(node.measure, measuring.amounts(done, node.amount))
        if value is None:
            return f"{what} does not exist"
        return f"{what} is {wording.shown(value)}, which is {asked}"

    def _followed(self, node: Followed) -> str:
        firsts = measuring.events_in(node.first, node.window, self._facts, self._clock)
        first = f"`{node.first.name}`{wording.window(node.window)}"
        if not firsts:
            return f"the person did not do {first}"
        then = f"`{node.then.name}` within {node.within.text}"
        if node.negated:
            so = self._either(
                f"at least one was not followed by {then}",
                f"each was followed by {then}, or may still be",
            )
        else:
            so = f"{self._either('one', 'none')} was followed by {then}"
        return f"the person did {first} {len(firsts)} times; {so}"

    def _device(self, node: Device) -> str:
        devices = self._facts.devices
        if not devices:
            return "the person has no device that is registered"
        fit = sum(device_holds(node.where, one, self._clock) for one in devices)
        wanted = "all of them must" if node.every else "one of them must"
        return f"{fit} of {len(devices)} devices meet the conditions, and {wanted}"

    def _message(self, node: Message) -> str:
        if node.milestone in UNKNOWN_MILESTONES:
            return f"what was {node.milestone} is not kept yet"
        if node.campaign is not None:
            return "which campaign a message is of is not kept yet"
        what = "a message" if node.message is None else f"the message {node.message}"
        window = wording.window(node.window)
        return f"{what} was {self._either('', 'not ')}{node.milestone}{window}"

    def _person(self, node: Person) -> str:
        match node.about:
            case "has_device":
                return f"the person has {'a' if self._facts.devices else 'no'} device"
            case "push_consent" | "analytics_consent":
                kind = node.about.removesuffix("_consent")
                is_given = self._facts.consents.get(kind, False)
                return f"consent to {kind} is {'given' if is_given else 'not given'}"
            case "created":
                value: Any = self._facts.created_at
            case "last_seen":
                value = self._facts.last_seen_at
            case _:
                value = getattr(self._facts, node.about)
        names = {"created": "first day", "last_seen": "last day seen"}
        name = f"the person's {names.get(node.about, node.about.replace('_', ' '))}"
        value = MISSING if value is None else value
        return wording.compared(name, value, node.test, holds=self._holds)

    def _near(self, node: Near) -> str:
        latitude = measuring.degrees(self._facts, node.latitude_path, 90)
        longitude = measuring.degrees(self._facts, node.longitude_path, 180)
        if latitude is None or longitude is None:
            names = (path_text(node.latitude_path), path_text(node.longitude_path))
            return f"the attributes `{names[0]}` and `{names[1]}` are no degrees"
        distance = measuring.distance_km(node, latitude, longitude)
        return f"the person is {distance:.1f} km away, {node.within_km:g} km are asked for"

    def _rfm(self, node: Rfm) -> str:
        value = measuring.rank_value(node.ranking, self._facts, self._clock)
        name = f"`{node.ranking.event}`{wording.window(node.ranking.window)}"
        bounds = self._facts.rankings.get(ranking_key(node.ranking), ())
        if value is None or not bounds:
            return f"the person is not ranked by {node.ranking.measure} of {name}"
        score = measuring.score(value, bounds)
        scores = ", ".join(map(str, node.scores))
        asked = f"{self._either('', 'not ')}one of {scores}"
        return f"the score by {node.ranking.measure} of {name} is {score}, which is {asked}"
