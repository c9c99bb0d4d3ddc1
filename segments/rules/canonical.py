"""The one canonical form of a rule, as JSON, and the hash that names it. Pure.

Two rules that differ only in the order or nesting of `all` and `any`, in repetitions, in double
negations or in how numbers and times are written have the same form. Relative moments stay so.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from typing import Any

from segments.rules.moments import Length, Moment, Window
from segments.rules.node import (
    EVER,
    All,
    Attribute,
    Bucket,
    Comparison,
    Condition,
    Device,
    Event,
    Events,
    Followed,
    InCountry,
    InSegment,
    Message,
    Near,
    Node,
    Not,
    OnList,
    Person,
    Ranking,
    Rfm,
    Some,
)
from segments.rules.paths import Path, path_text
from segments.rules.patterns import Pattern
from segments.rules.values import to_json_number


def canonical(node: Node) -> Node:
    """Return the node all rules share that say the same in the ways named above."""
    match node:
        case Not():
            inner = canonical(node.of)
            return inner.of if isinstance(inner, Not) else Not(of=inner)
        case All() | Some():
            flat: dict[str, Node] = {}
            for one in map(canonical, node.of):
                inside = (
                    one.of if isinstance(one, All | Some) and type(one) is type(node) else (one,)
                )
                flat |= {sort_key(each): each for each in inside}
            ordered = tuple(flat[key] for key in sorted(flat))
            return ordered[0] if len(ordered) == 1 else replace(node, of=ordered)
        case _:
            return node


def canonical_json(node: Node) -> dict[str, Any]:
    """Return the canonical form of a rule as a JSON document."""
    return to_json(canonical(node))


def rule_hash(node: Node) -> str:
    """Return the hash of what a rule says: 64 hex digits, the same for ever."""
    return sha256(_dumps(canonical_json(node)).encode()).hexdigest()


def sort_key(value: Node | Condition) -> str:
    """Return a text by which nodes and conditions are ordered and told apart."""
    document = to_json(value) if isinstance(value, Node) else _condition(value)
    return _dumps(document)


def ranking_key(ranking: Ranking) -> str:
    """Return a text that tells rankings apart."""
    return _dumps(_ranking(ranking))


def _dumps(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def to_json(node: Node) -> dict[str, Any]:  # noqa: C901, PLR0911 (one case for each node)
    """Return a node as it is written, in one of the ways it can be."""
    match node:
        case All():
            return {"type": "all", "of": [to_json(one) for one in node.of]}
        case Some():
            return {"type": "any", "of": [to_json(one) for one in node.of]}
        case Not():
            return {"type": "not", "of": to_json(node.of)}
        case Attribute():
            return {"type": "attribute", "name": path_text(node.path), **_test(node.test)}
        case Event():
            return _event(node)
        case Followed():
            return _followed(node)
        case Device():
            return {
                "type": "device",
                "match": "every" if node.every else "any",
                "where": [_field_condition(one) for one in node.where],
            }
        case Message():
            about = {"message": node.message, "campaign": node.campaign}
            named = {name: value for name, value in about.items() if value is not None}
            return {"type": "message", "milestone": node.milestone, **named, **_window(node.window)}
        case Person():
            return {"type": "person", "field": node.about, **_test(node.test)}
        case Rfm():
            return {"type": "rfm", **_ranking(node.ranking), "scores": [*node.scores]}
        case _:
            return _place_or_reference(node)


def _place_or_reference(node: Node) -> dict[str, Any]:
    match node:
        case Near():
            return {
                "type": "geo",
                "near": {"lat": _real(node.latitude), "lon": _real(node.longitude)},
                "within_km": _real(node.within_km),
                "latitude": path_text(node.latitude_path),
                "longitude": path_text(node.longitude_path),
            }
        case InCountry():
            return {"type": "geo", "countries": [*node.countries]}
        case OnList():
            return {"type": "list", "list": node.list}
        case InSegment():
            return {"type": "segment", "segment": node.segment}
        case Bucket():
            return {"type": "bucket", "salt": node.salt, "from": node.first, "to": node.last}
        case _:
            raise TypeError(type(node).__name__)


def _event(node: Event) -> dict[str, Any]:
    return {
        "type": "event",
        **_events(node.events, "name"),
        "measure": node.measure,
        **_amount(node.amount),
        **_test(node.test),
        **_window(node.window),
    }


def _followed(node: Followed) -> dict[str, Any]:
    return {
        "type": "sequence",
        "first": _events(node.first, "event"),
        "then_not" if node.negated else "then": _events(node.then, "event"),
        "within": node.within.text,
        **_window(node.window),
    }


def _events(events: Events, name: str) -> dict[str, Any]:
    return {name: events.name, "where": [_condition(one) for one in events.where]}


def _ranking(ranking: Ranking) -> dict[str, Any]:
    return {
        "event": ranking.event,
        "measure": ranking.measure,
        "quantiles": ranking.quantiles,
        **_amount(ranking.amount),
        **_window(ranking.window),
    }


def _amount(path: Path | None) -> dict[str, Any]:
    return {} if path is None else {"property": path_text(path)}


def _window(window: Window) -> dict[str, Any]:
    if window == EVER:
        return {}
    named = {"last": window.last, "from": window.since, "to": window.until}
    return {"window": {name: one.text for name, one in named.items() if one is not None}}


def _condition(condition: Condition) -> dict[str, Any]:
    return {"name": path_text(condition.path), **_test(condition.test)}


def _field_condition(condition: Condition) -> dict[str, Any]:
    return {"field": condition.path[0], **_test(condition.test)}


def _test(test: Comparison) -> dict[str, Any]:
    value = {} if test.value is None else {"value": _value(test.value)}
    return {"operator": test.operator, **value}


def _value(value: Any) -> Any:
    match value:
        case Decimal():
            return to_json_number(value)
        case Moment() | Length():
            return value.text
        case Pattern():
            return value.text
        case tuple():
            return [_value(one) for one in value]
        case _:
            return value


def _real(value: float) -> int | float:
    return int(value) if value.is_integer() else value
