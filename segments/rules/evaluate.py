"""Whether a rule holds for one person: the same answer that its SQL gives for everybody. Pure."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from segments.rules import measuring
from segments.rules.building import UNKNOWN_MILESTONES
from segments.rules.canonical import ranking_key
from segments.rules.comparing import (
    amount_holds,
    anniversary_holds,
    moment_holds,
    value_holds,
    version_holds,
)
from segments.rules.facts import DeviceFacts, Facts, MessageFacts
from segments.rules.moments import Clock
from segments.rules.node import (
    All,
    Attribute,
    Bucket,
    Comparison,
    Condition,
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
from segments.rules.paths import MISSING, find

# What left for a gateway, and what of it the gateway took.
SENT_STATES = ("accepted", "gone", "rejected", "unknown")
# Ends of the ledger, or milestones of receipts.
STATES_OF: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "sent": SENT_STATES,
        "accepted": ("accepted",),
        "confirmed": ("confirmed",),
        "opened": ("opened",),
    }
)


def evaluate(rule: Node, facts: Facts, clock: Clock) -> bool:
    """Tell whether a rule holds for a person at the moment of the clock.

    Segments it names must have been resolved (`references.resolve`).
    """
    match rule:
        case All():
            return all(evaluate(one, facts, clock) for one in rule.of)
        case Some():
            return any(evaluate(one, facts, clock) for one in rule.of)
        case Not():
            return not evaluate(rule.of, facts, clock)
        case InSegment():
            return rule.rule is not None and evaluate(rule.rule, facts, clock)
        case _:
            return _LEAVES[type(rule)](rule, facts, clock)


def _attribute(node: Attribute, facts: Facts, clock: Clock) -> bool:
    value = find(facts.attributes, node.path)
    if node.test.operator == "is_anniversary":
        return anniversary_holds(node.test, value, measuring.today_of(facts, clock))
    return value_holds(node.test, value, clock)


def _event(node: Event, facts: Facts, clock: Clock) -> bool:
    done = measuring.events_in(node.events, node.window, facts, clock)
    if node.measure == "count":
        return amount_holds(node.test, len(done))
    if node.amount is None:
        return moment_holds(node.test, measuring.last_moment(node.measure, done), clock)
    values = measuring.amounts(done, node.amount)
    return amount_holds(node.test, measuring.aggregate(node.measure, values))


def _device(node: Device, facts: Facts, clock: Clock) -> bool:
    if node.every:
        return bool(facts.devices) and all(
            device_holds(node.where, one, clock) for one in facts.devices
        )
    return any(device_holds(node.where, one, clock) for one in facts.devices)


def device_holds(where: tuple[Condition, ...], device: DeviceFacts, clock: Clock) -> bool:
    """Tell whether a device meets all conditions."""
    return all(_condition_holds(one, device, clock) for one in where)


def _condition_holds(condition: Condition, device: DeviceFacts, clock: Clock) -> bool:
    name, test = condition.path[0], condition.test
    match name:
        case "provider":
            wanted = test.value if test.operator == "in" else (test.value,)
            return not device.providers.isdisjoint(wanted)
        case "last_seen":
            return moment_holds(test, device.last_seen_at, clock)
        case "registered":
            return moment_holds(test, device.registered_at, clock)
        case "app_version":
            return version_holds(test, device.app_version)
        case "os_version":
            return version_holds(test, device.os_version)
        case _:
            return _text_holds(test, getattr(device, name), clock)


def _text_holds(test: Comparison, text: str | None, clock: Clock) -> bool:
    return value_holds(test, MISSING if text is None else text, clock)


def _message(node: Message, facts: Facts, clock: Clock) -> bool:
    if node.milestone in UNKNOWN_MILESTONES or node.campaign is not None:
        return False
    states = STATES_OF[node.milestone]
    span = node.window.span(clock)

    def is_meant(one: MessageFacts) -> bool:
        is_this = node.message is None or one.message == node.message
        return is_this and one.state in states and span.holds(one.at)

    return any(map(is_meant, facts.messages))


def _person(node: Person, facts: Facts, clock: Clock) -> bool:
    match node.about:
        case "created":
            return moment_holds(node.test, facts.created_at, clock)
        case "last_seen":
            return moment_holds(node.test, facts.last_seen_at, clock)
        case "has_device":
            return bool(facts.devices) is node.test.value
        case "push_consent" | "analytics_consent":
            kind = node.about.removesuffix("_consent")
            return facts.consents.get(kind, False) is node.test.value
        case _:
            return _text_holds(node.test, getattr(facts, node.about), clock)


def _near(node: Near, facts: Facts, _clock: Clock) -> bool:
    return measuring.is_near(node, facts)


def _in_country(node: InCountry, facts: Facts, _clock: Clock) -> bool:
    return facts.country in node.countries


def _rfm(node: Rfm, facts: Facts, clock: Clock) -> bool:
    bounds = facts.rankings.get(ranking_key(node.ranking), ())
    value = measuring.rank_value(node.ranking, facts, clock)
    return value is not None and bool(bounds) and measuring.score(value, bounds) in node.scores


def _on_list(node: OnList, facts: Facts, _clock: Clock) -> bool:
    return node.list in facts.lists


def _bucket(node: Bucket, facts: Facts, _clock: Clock) -> bool:
    return node.first <= measuring.bucket_of(node, facts.external_id) <= node.last


def _followed(node: Followed, facts: Facts, clock: Clock) -> bool:
    return measuring.is_followed(node, facts, clock)


# Each function takes the node of its key.
_LEAVES: Mapping[type[Node], Callable[..., bool]] = {
    Attribute: _attribute,
    Event: _event,
    Followed: _followed,
    Device: _device,
    Message: _message,
    Person: _person,
    Near: _near,
    InCountry: _in_country,
    Rfm: _rfm,
    OnList: _on_list,
    Bucket: _bucket,
}
