"""The JSON schema accepts what the parser does, and refuses what it refuses for its shape."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from segments.rules.language import LANGUAGE
from segments.rules.schema import rule_document, rule_schemas
from tests.segments.rules.random_rules import RULES

VALIDATOR = Draft202012Validator(rule_document())
LEAF = {"type": "attribute", "name": "a", "operator": "exists"}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(rule_document())
    assert json.loads(json.dumps(rule_document())) == rule_document()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(RULES)
def test_every_rule_fits_the_schema(document: Any) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"type": "x"},
        {**LEAF, "value": 1},
        {**LEAF, "operator": "<", "value": "1"},
        {**LEAF, "operator": "in", "value": []},
        {"type": "all", "of": [LEAF, 3]},
        {"type": "not", "of": [LEAF]},
        {"type": "event", "name": "e", "measure": "sum", "operator": "<", "value": 1},
        {"type": "event", "name": "e", "window": {"last": "1 day", "from": "now"}},
        {"type": "sequence", "first": {"event": "a"}, "within": "1 day"},
        {"type": "geo", "near": {"lat": 91, "lon": 0}, "within_km": 1},
        {"type": "bucket", "salt": "a:b", "from": 0, "to": 1},
    ],
)
def test_what_has_another_shape_does_not_fit(document: Any) -> None:
    assert not VALIDATOR.is_valid(document)


def test_every_node_is_described_with_its_fields_and_fitting_examples() -> None:
    schemas = rule_schemas()

    assert schemas.keys() == {"Rule", *(f"Rule{name.title()}" for name in LANGUAGE)}
    for name in LANGUAGE:
        node = schemas[f"Rule{name.title()}"]
        assert node["description"]
        assert node["examples"]
        for form in node.get("oneOf", [node]):
            for field, schema in form["properties"].items():
                assert field == "type" or schema.get("description"), (name, field)
        for example in node["examples"]:
            VALIDATOR.validate(example)


def test_references_lead_to_where_the_document_keeps_them() -> None:
    text = json.dumps(rule_schemas())

    assert "#/components/schemas/RuleAny" in text
    assert "$defs" not in text
