"""What is a rule, and what is said about what is none."""

from typing import Any

import pytest

from core.errors import InvalidPayloadError
from segments.rules.language import LANGUAGE
from segments.rules.node import All, Attribute, Comparison, Event, InSegment, Near
from segments.rules.parsing import count_nodes, parse_rule
from segments.rules.reading import FAULTS_LIMIT

LEAF = {"type": "attribute", "name": "a", "operator": "exists"}
EVENT = {"type": "event", "name": "e"}
NEAR = {"type": "geo", "within_km": 1}
RFM = {"type": "rfm", "event": "e"}


def faults(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidPayloadError) as raised:
        parse_rule(document, "/rule")
    assert all(field.message for field in raised.value.fields)
    return [(field.pointer, field.code) for field in raised.value.fields]


@pytest.mark.parametrize("name", LANGUAGE)
def test_every_example_of_the_language_is_a_rule(name: str) -> None:
    for example in LANGUAGE[name].examples:
        assert count_nodes(parse_rule({"type": name, **example})) >= 1


def test_defaults_are_filled_in() -> None:
    event = parse_rule({"type": "event", "name": "purchase"})
    near = parse_rule({"type": "geo", "near": {"lat": 1, "lon": 2}, "within_km": 3})

    assert isinstance(event, Event)
    assert (event.measure, event.test) == ("count", Comparison("at_least", 1))
    assert isinstance(near, Near)
    assert (near.latitude_path, near.longitude_path) == (("lat",), ("lon",))


def test_nodes_know_where_they_were_written() -> None:
    rule = parse_rule({"type": "all", "of": [LEAF, {"type": "any", "of": [LEAF]}]}, "/rule")

    assert isinstance(rule, All)
    assert [rule.pointer, *(one.pointer for one in rule.of)] == [
        "/rule",
        "/rule/of/0",
        "/rule/of/1",
    ]


@pytest.mark.parametrize("value", [None, 3, "all", [], [LEAF]])
def test_what_is_no_object_is_no_node(value: Any) -> None:
    assert faults(value) == [("/rule", "wrong_type")]


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        ({}, "/type", "missing"),
        ({"type": "attributes"}, "/type", "unknown_node"),
        ({"type": ["all"]}, "/type", "unknown_node"),
        ({"type": "all"}, "/of", "missing"),
        ({"type": "all", "of": {}}, "/of", "wrong_type"),
        ({"type": "not", "of": [LEAF]}, "/of", "wrong_type"),
        ({**LEAF, "operator": "like"}, "/operator", "invalid_value"),
        ({**LEAF, "operator": 3}, "/operator", "wrong_type"),
        ({"type": "attribute", "name": "a"}, "/operator", "missing"),
        ({**LEAF, "value": 1}, "/value", "unknown_field"),
        ({**LEAF, "operator": "equals"}, "/value", "missing"),
        ({**LEAF, "operator": "equals", "value": None}, "/value", "wrong_type"),
        ({**LEAF, "operator": "equals", "value": []}, "/value", "wrong_type"),
        ({**LEAF, "operator": "equals", "value": "a\0"}, "/value", "invalid_value"),
        ({**LEAF, "operator": "equals", "value": "\ud800"}, "/value", "invalid_value"),
        ({**LEAF, "operator": "equals", "value": "a" * 1_001}, "/value", "too_long"),
        ({**LEAF, "operator": "equals", "value": 2**63}, "/value", "out_of_range"),
        ({**LEAF, "operator": "equals", "value": float("inf")}, "/value", "out_of_range"),
        ({**LEAF, "operator": "in", "value": []}, "/value", "too_short"),
        ({**LEAF, "operator": "in", "value": "a"}, "/value", "wrong_type"),
        ({**LEAF, "operator": "in", "value": list(range(1_001))}, "/value", "too_long"),
        ({**LEAF, "operator": "in", "value": ["a", None]}, "/value/1", "wrong_type"),
        ({**LEAF, "operator": "<", "value": "3"}, "/value", "wrong_type"),
        ({**LEAF, "operator": "<", "value": True}, "/value", "wrong_type"),
        ({**LEAF, "operator": "contains", "value": ""}, "/value", "too_short"),
        ({**LEAF, "operator": "between", "value": [1]}, "/value", "wrong_type"),
        ({**LEAF, "operator": "between", "value": [1, "now"]}, "/value/1", "wrong_type"),
        ({**LEAF, "operator": "between", "value": ["now", "later"]}, "/value/1", "invalid_value"),
        ({**LEAF, "operator": "before", "value": "2026-02-30"}, "/value", "invalid_value"),
        ({**LEAF, "operator": "before", "value": "0 days ago"}, "/value", "invalid_value"),
        ({**LEAF, "operator": "before", "value": "101 years ago"}, "/value", "invalid_value"),
        ({**LEAF, "operator": "before", "value": "1700-01-01"}, "/value", "invalid_value"),
        ({**LEAF, "operator": "matches", "value": "(?=a)"}, "/value", "invalid_value"),
        ({**LEAF, "operator": "is_anniversary", "value": 1.5}, "/value", "out_of_range"),
        ({**LEAF, "name": "a..b"}, "/name", "invalid_value"),
        ({**LEAF, "name": "a\\b"}, "/name", "invalid_value"),
        ({**LEAF, "name": ".".join("abcdefghijk")}, "/name", "invalid_value"),
        ({"type": "event", "name": "e", "where": [{"name": "a"}]}, "/where/0/operator", "missing"),
        ({"type": "event", "name": "e", "where": {}}, "/where", "wrong_type"),
        ({"type": "event", "name": "e", "where": [{**LEAF, "operator": "is_anniversary"}]},
         "/where/0/operator", "invalid_value"),
        ({"type": "event", "name": "e", "measure": "sum", "operator": "<", "value": 1},
         "/property", "missing"),
        ({**EVENT, "operator": "at_least", "value": -1}, "/value", "out_of_range"),
        ({"type": "event", "name": "e", "operator": "<", "value": 1}, "/operator", "invalid_value"),
        ({"type": "event", "name": "e", "window": {"last": "1 day", "from": "now"}},
         "/window/from", "unknown_field"),
        ({"type": "event", "name": "e", "window": 3}, "/window", "wrong_type"),
        ({"type": "sequence", "first": {"event": "a"}, "within": "1 day"}, "/then", "missing"),
        ({"type": "sequence", "first": {"event": "a"}, "then": {"event": "b"},
          "then_not": {"event": "b"}, "within": "1 day"}, "/then_not", "unknown_field"),
        ({"type": "sequence", "first": {"event": "a"}, "then": {"event": "b"}, "within": "1 year"},
         "/within", "invalid_value"),
        ({"type": "device", "match": "some"}, "/match", "invalid_value"),
        ({"type": "device", "where": [{"field": "app_version", "operator": "<", "value": "new"}]},
         "/where/0/value", "invalid_value"),
        ({"type": "device", "where": [{"field": "colour", "operator": "exists"}]},
         "/where/0/field", "invalid_value"),
        ({"type": "message", "milestone": "seen"}, "/milestone", "invalid_value"),
        ({"type": "message", "milestone": "sent", "message": "a b"}, "/message", "invalid_value"),
        ({"type": "person", "field": "has_device", "operator": "equals", "value": "yes"},
         "/value", "wrong_type"),
        ({**NEAR, "near": {"lat": 91, "lon": 0}}, "/near/lat", "out_of_range"),
        ({**NEAR, "near": {"lat": 1, "lon": "x"}}, "/near/lon", "wrong_type"),
        ({"type": "geo", "countries": ["de"]}, "/countries/0", "invalid_value"),
        ({"type": "geo"}, "/near", "missing"),
        ({**RFM, "measure": "recency", "scores": [6]}, "/scores", "out_of_range"),
        ({**RFM, "measure": "monetary", "scores": [1]}, "/property", "missing"),
        ({"type": "bucket", "salt": "a:b", "from": 0, "to": 1}, "/salt", "invalid_value"),
        ({"type": "bucket", "salt": "a", "from": 2, "to": 1}, "/to", "out_of_range"),
        ({"type": "list", "list": ""}, "/list", "too_short"),
        ({"type": "segment"}, "/segment", "missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_pointed_at(document: Any, pointer: str, code: str) -> None:
    assert (f"/rule{pointer}", code) in faults(document)


def test_all_mistakes_are_said_at_once_with_escaped_pointers() -> None:
    wrong = {"type": "all", "of": [{"type": "x"}, {**LEAF, "a/b~c": 1}]}

    assert faults(wrong) == [
        ("/rule/of/0/type", "unknown_node"),
        ("/rule/of/1/a~1b~0c", "unknown_field"),
    ]


def _nested(levels: int) -> Any:
    return LEAF if levels == 1 else {"type": "not", "of": _nested(levels - 1)}


def test_ten_levels_are_deep_enough() -> None:
    assert count_nodes(parse_rule(_nested(10))) == 10
    assert faults(_nested(11)) == [("/rule" + "/of" * 10, "rule_too_deep")]


def test_hundreds_of_levels_are_refused_like_eleven() -> None:
    assert [code for _, code in faults(_nested(500))] == ["rule_too_deep"]


def test_two_hundred_nodes_are_enough() -> None:
    rule = parse_rule({"type": "all", "of": [LEAF] * 199})

    assert count_nodes(rule) == 200
    assert faults({"type": "all", "of": [LEAF] * 200}) == [("/rule/of/199", "too_many_nodes")]


def test_conditions_count_as_nodes() -> None:
    where = [{"name": f"a{index}", "operator": "exists"} for index in range(20)]
    event = {"type": "event", "name": "e", "where": where}

    assert count_nodes(parse_rule({"type": "all", "of": [event] * 9})) == 190
    assert faults({"type": "all", "of": [event] * 10}) == [("/rule", "too_many_nodes")]


def test_a_flood_of_mistakes_is_cut() -> None:
    assert len(faults({"type": "all", "of": [{**LEAF, "x": 1, "y": 2}] * 150})) == FAULTS_LIMIT


def test_names_of_fields_are_whatever_json_allows() -> None:
    rule = parse_rule({"type": "attribute", "name": "a\\.b.c\\\\d.é", "operator": "exists"})

    assert isinstance(rule, Attribute)
    assert rule.path == ("a.b", "c\\d", "é")


def test_a_segment_is_known_by_its_id_alone() -> None:
    rule = parse_rule({"type": "segment", "segment": "seg_a"})

    assert isinstance(rule, InSegment)
    assert (rule.segment, rule.rule) == ("seg_a", None)
