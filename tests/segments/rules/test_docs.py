"""The page of the rule language says what the code says."""

import json
import re

import pytest

from api.reference import FIELD_CODES
from segments.rules import building, operators, parsing, references
from segments.rules.canonical import to_json
from segments.rules.language import LANGUAGE
from segments.rules.parsing import parse_rule, walk
from segments.rules.patterns import LONGEST_TEXT
from tests.repository_files import ROOT

PAGE = (ROOT / "docs" / "reference" / "rules.md").read_text()
SECTIONS = dict(
    part.split("\n", 1)
    for part in re.split(r"^### ", PAGE.split("## One canonical")[0], flags=re.MULTILINE)[1:]
)
EXAMPLES = [
    json.loads(one) for one in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
]


def test_every_node_has_a_section_in_the_order_of_the_language() -> None:
    assert list(SECTIONS) == list(LANGUAGE)


@pytest.mark.parametrize("name", LANGUAGE)
def test_every_node_has_an_example(name: str) -> None:
    examples = re.findall(r"^```json\n(.*?)^```", SECTIONS[name], re.MULTILINE | re.DOTALL)

    assert examples
    assert {json.loads(one)["type"] for one in examples} == {name}


@pytest.mark.parametrize("index", range(len(EXAMPLES)))
def test_every_example_is_a_rule(index: int) -> None:
    rule = parse_rule(EXAMPLES[index])

    assert {to_json(one)["type"] for one in walk(rule)} <= LANGUAGE.keys()


@pytest.mark.parametrize("name", LANGUAGE)
def test_every_field_of_a_node_is_named(name: str) -> None:
    forms = LANGUAGE[name].forms
    fields = {field for form in forms for field in (*form.fields, *form.choices)} - {
        "value",
        "operator",
    }
    options = {
        option
        for form in forms
        for choice, one in form.choices.items()
        if choice != "operator"
        for option in one.options
    }
    text = SECTIONS[name]

    assert {one for one in fields | options if not re.search(rf'[`"{{ ]{one}[`"]', text)} == set()


def test_every_operator_is_in_the_tables() -> None:
    groups = (operators.ATTRIBUTE, operators.VERSIONS, operators.DATES, operators.TEXTS)
    names = {name for group in groups for names, _ in group for name in names}
    counts = {"at_least", "at_most", "exactly"}

    assert {name for name in names | counts if f"`{name}`" not in PAGE} == set()


def test_the_limits_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| ([^|]+) \| ([\d,]+)[^|]*\|$", PAGE, re.MULTILINE))
    numbers = {name: int(value.replace(",", "")) for name, value in rows.items()}

    assert numbers == {
        "nodes inside of nodes": parsing.DEPTH_LIMIT,
        "segments that lead to segments, one after the other": references.SEGMENTS_DEEP_LIMIT,
        "nodes of a rule, with each condition inside of one": parsing.NODES_LIMIT,
        "the same, with all segments it leads to": references.EXPANDED_LIMIT,
        "conditions in one `where`": building.WHERE_LIMIT,
        "values of `in`": 1_000,
        "a text": 1_000,
        "a name or path": 255,
        "a pattern": 500,
        "characters of a pattern in repetitions of what may be left out, such as `(a?){9}`": 100,
        "a text that a pattern is looked for in": LONGEST_TEXT,
    }


def test_every_code_of_a_mistake_is_documented() -> None:
    used = {
        code
        for path in (ROOT / "segments" / "rules").rglob("*.py")
        for code in re.findall(r'(?:refuse|FieldError)\((?:[a-z_.]+, )?"(\w+)"', path.read_text())
    }

    assert {"wrong_type", "segment_cycle", "too_many_nodes"} <= used
    assert used - FIELD_CODES.keys() == set()
