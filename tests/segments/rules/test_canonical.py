"""One form and one hash for whatever says the same."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from segments.rules.canonical import canonical, canonical_json, rule_hash, to_json
from segments.rules.parsing import parse_rule
from tests.segments.rules.random_rules import RULES

A = {"type": "attribute", "name": "a", "operator": "equals", "value": 1}
B = {"type": "attribute", "name": "b", "operator": "exists"}
EVENT = {"type": "event", "name": "e"}
YES = True
X, Y = ({"name": name, "operator": "exists"} for name in "xy")


def all_of(*nodes: Any) -> dict[str, Any]:
    return {"type": "all", "of": list(nodes)}


def any_of(*nodes: Any) -> dict[str, Any]:
    return {"type": "any", "of": list(nodes)}


def negated(node: Any) -> dict[str, Any]:
    return {"type": "not", "of": node}


def attribute(operator: str, value: Any) -> dict[str, Any]:
    return {"type": "attribute", "name": "a", "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (all_of(A, B), all_of(B, A)),
        (all_of(A, all_of(B, A)), all_of(A, B)),
        (any_of(A, any_of(B)), any_of(B, A)),
        (all_of(A), A),
        (any_of(A, A), A),
        (negated(negated(A)), A),
        (negated(all_of(negated(A))), A),
        (attribute("equals", 1), attribute("equals", 1.0)),
        (attribute("<", 100), attribute("<", 1e2)),
        (attribute("<", 0), attribute("<", -0.0)),
        (attribute("in", [2, 1, 1.0]), attribute("in", [1, 2])),
        (attribute("before", "24 hours ago"), attribute("before", "1 day ago")),
        (attribute("before", "1 week ago"), attribute("before", "7 days ago")),
        (attribute("before", "12 months ago"), attribute("before", "1 years ago")),
        (attribute("after", "2026-03-01T12:00:00+02:00"),
         attribute("after", "2026-03-01T10:00:00Z")),
        (attribute("is_anniversary", 0), {**B, "name": "a", "operator": "is_anniversary"}),
        (EVENT, {**EVENT, "measure": "count", "operator": "at_least", "value": 1, "where": []}),
        ({**EVENT, "window": {}}, EVENT),
        ({"type": "device"}, {"type": "device", "match": "any", "where": []}),
        ({**EVENT, "where": [X, Y]}, {**EVENT, "where": [Y, X, Y]}),
    ],
)  # fmt: skip
def test_what_says_the_same_has_one_hash(one: Any, other: Any) -> None:
    assert canonical_json(parse_rule(one)) == canonical_json(parse_rule(other))
    assert rule_hash(parse_rule(one)) == rule_hash(parse_rule(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (all_of(A, B), any_of(A, B)),
        (A, negated(A)),
        (all_of(), any_of()),
        (attribute("equals", 1), attribute("equals", "1")),
        (attribute("equals", 1), attribute("equals", YES)),
        (attribute("between", [1, 2]), attribute("between", [2, 1])),
        (attribute("before", "30 days ago"), attribute("before", "1 month ago")),
        (attribute("before", "2026-03-01"), attribute("before", "2026-03-01T00:00:00Z")),
    ],
)
def test_what_says_something_else_has_another_hash(one: Any, other: Any) -> None:
    assert rule_hash(parse_rule(one)) != rule_hash(parse_rule(other))


def test_a_hash_stays_for_ever() -> None:
    rule = all_of(attribute("before", "30 days ago"), negated(EVENT), attribute("<", 1.5))

    assert rule_hash(parse_rule(rule)) == (
        "c9d5df5954de58e67bfe036aae5e9cacee59c71c2faa45bbb9d0dfd243a34bae"
    )


def test_relative_moments_stay_relative() -> None:
    assert canonical_json(parse_rule(attribute("before", "30 days ago")))["value"] == "30 days ago"


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(RULES)
def test_forms_are_rules_of_the_same_form(document: Any) -> None:
    rule = parse_rule(document)
    written = json.loads(json.dumps(to_json(rule)))
    form = json.loads(json.dumps(canonical_json(rule)))

    assert parse_rule(written) == rule
    assert canonical(parse_rule(form)) == canonical(rule)
    assert canonical_json(parse_rule(form)) == form
