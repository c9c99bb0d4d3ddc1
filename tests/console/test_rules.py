"""Rules as the builder holds them: nothing of a rule is lost, and every place has a number."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.rules import choices, values
from console.rules.draft import (
    UnreadableRuleError,
    fresh,
    path_of,
    place_of,
    read_rule,
    read_text,
    remove,
    to_rule,
)
from segments.rules import building, operators
from segments.rules.canonical import canonical
from segments.rules.parsing import parse_rule
from tests.segments.rules.random_rules import RULES

_ATTRIBUTE = {"type": "attribute", "name": "plan", "operator": "equals", "value": "gold"}


def _names(groups: Iterable[Any]) -> set[str]:
    return {name for operators, _ in groups for name in operators}


def _by_field(fields: Mapping[Any, Any]) -> dict[str, set[str]]:
    return {name: _names(groups) for names, groups in fields.items() for name in names}


# What the builder offers, and what the language has: operators by fields, or by measures.
_OFFERED: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "person": choices.PERSON_FIELDS,
    "device": choices.DEVICE_FIELDS,
    "attribute": {"": choices.operators_of("number", recurs=True)},
    "where": {"": choices.operators_of(None, recurs=False)},
    "event": choices.MEASURES,
}
_COUNT = {"at_least", "at_most", "exactly", "between"}
_LANGUAGE: Mapping[str, Mapping[str, set[str]]] = {
    "person": _by_field(building.PERSON_FIELDS),
    "device": _by_field(building.DEVICE_FIELDS),
    "attribute": {"": _names(operators.ATTRIBUTE)},
    "where": {"": _names(operators.VALUE)},
    "event": {
        "count": _COUNT,
        **{name: _names(operators.AMOUNT) for name in ("sum", "min", "max", "avg")},
        **{name: _names(operators.TIME) for name in ("first", "last")},
    },
}


def _value(field: str, ask: str) -> Any:
    text = choices.KNOWN_VALUES.get(field, ("1.2",))[0]
    return {
        choices.TEXT: text,
        choices.TEXTS: [text],
        choices.NUMBER: 1,
        choices.TRUTH: True,
        choices.MOMENT: "30 days ago",
        choices.SCALAR: 1,
        choices.SCALARS: [1, "a", True],
        choices.PAIR: [1, 2],
        choices.NUMBERS: [1, 2],
        choices.MOMENTS: ["30 days ago", "now"],
        choices.VERSIONS: ["1.2", "1.3"],
    }[ask]


def _rule(place: str, field: str, test: Mapping[str, Any]) -> dict[str, Any]:
    if place == "person":
        return {"type": "person", "field": field, **test}
    if place == "device":
        return {"type": "device", "where": [{"field": field, **test}]}
    if place == "attribute":
        return {"type": "attribute", "name": "a", **test}
    if place == "where":
        return {"type": "event", "name": "e", "where": [{"name": "p", **test}]}
    amount = {"property": "p"} if field in {"sum", "min", "max", "avg"} else {}
    return {"type": "event", "name": "e", "measure": field, **amount, **test}


@given(RULES)
def test_a_rule_says_the_same_after_it_was_in_the_builder(rule: Any) -> None:
    again = to_rule(read_rule(rule))

    assert canonical(parse_rule(again)) == canonical(parse_rule(rule))


_KEYS = st.sampled_from(["type", "of", "where", "name"])
_ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(_KEYS, one),
)


@given(_ANYTHING)
def test_what_is_no_rule_is_kept_as_it_is(inside: Any) -> None:
    rule = {"type": "all", "of": [inside]}

    found = json.loads(json.dumps(rule))
    draft = read_rule(found)

    if isinstance(inside, dict):
        assert to_rule(draft) == found
    else:
        with pytest.raises(UnreadableRuleError):
            to_rule(draft)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "null", '{"type": NaN}', '{"type": 1e999}', "[" * 100_000]
)
def test_a_text_that_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(UnreadableRuleError):
        read_text(text)


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("/rule", ("", "")),
        ("/rule/of/0/value", ("1", "value")),
        ("/rule/of/1/of/of/0/where/0/name", ("2.1", "where 0 name")),
        ("/rule/of/2", ("3", "")),
        ("/rule/of/9/value", ("", "of 9 value")),
        ("/rule/of/x", ("", "of x")),
        ("", ("", "")),
    ],
)
def test_a_pointer_leads_to_the_number_of_a_condition(pointer: str, place: tuple[str, str]) -> None:
    event = {"type": "event", "name": "e", "where": [{"name": "p", "operator": "exists"}]}
    denied = {"type": "not", "of": {"type": "any", "of": [event]}}

    draft = read_rule({"type": "all", "of": [_ATTRIBUTE, denied, {"type": "rfm"}]})

    assert place_of(draft, pointer) == place


def test_any_node_can_be_taken_out() -> None:
    draft = read_rule({"type": "any", "of": [_ATTRIBUTE, {"type": "all", "of": [_ATTRIBUTE]}]})
    (first, group) = draft.inside

    remove(draft, group.inside[0].serial)
    remove(draft, first.serial)

    assert to_rule(draft) == {"type": "any", "of": [{"type": "all", "of": []}]}


def test_a_rule_of_one_condition_stands_in_a_group() -> None:
    assert to_rule(read_rule(_ATTRIBUTE)) == {"type": "all", "of": [_ATTRIBUTE]}


@pytest.mark.parametrize("kind", [*choices.GROUPS, *choices.LEAVES, choices.CONDITION])
def test_what_is_added_can_be_written_at_once(kind: str) -> None:
    assert isinstance(to_rule(fresh(kind)), dict)


@pytest.mark.parametrize(
    "node",
    [
        {"type": "condition"},
        {"type": "json"},
        {"type": "nothing"},
        {"type": "rfm"},
        {"type": ["all"]},
        {"type": "attribute", "name": 5},
        {"type": "attribute", "name": "a", "operator": ["equals"]},
        {"type": "attribute", "name": "a", "operator": "equals", "value": 2**53 + 1},
        {"type": "attribute", "name": "a", "operator": "in", "value": [10**400]},
        {"type": "event", "name": "e", "where": [{"name": None, "operator": "exists"}]},
        {"type": "event", "name": "e", "where": {}},
        {"type": "all", "of": {}},
        {"type": "not", "of": []},
    ],
)
def test_what_no_form_can_show_stays_json(node: Any) -> None:
    draft = read_rule({"type": "all", "of": [node]})

    assert [one.kind for one in draft.inside] == [choices.OTHER]
    assert to_rule(draft) == {"type": "all", "of": [node]}


@pytest.mark.parametrize("place", ["person", "device", "attribute", "event", "where"])
def test_all_that_is_offered_is_of_the_language_and_nothing_of_it_is_missing(place: str) -> None:
    for field, offered in _OFFERED[place].items():
        for operator, ask in offered.items():
            value = {} if ask == choices.NOTHING else {"value": _value(field, ask)}
            parse_rule(_rule(place, field, {"operator": operator, **value}))
    names = {field: set(offered) for field, offered in _OFFERED[place].items()}
    assert names == _LANGUAGE[place]


def test_dots_in_a_name_are_no_steps() -> None:
    assert path_of(r"a.b\c") == r"a\.b\\c"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5", choices.NUMBER, 5),
        ("0.5", choices.NUMBER, 0.5),
        ("five", choices.NUMBER, "five"),
        ("nan", choices.NUMBER, "nan"),
        ("1e999", choices.NUMBER, "1e999"),
        ("True", choices.TRUTH, True),
        ("false", choices.TRUTH, False),
        ("maybe", choices.TRUTH, "maybe"),
        ("5", choices.TEXT, "5"),
    ],
)
def test_what_is_typed_becomes_a_value_of_its_kind(text: str, kind: str, value: Any) -> None:
    found = values.typed(text, kind)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("window", "length"),
    [
        ({"last": "30 days"}, (30, "days")),
        ({"last": "1 year"}, (1, "years")),
        ({"last": "soon"}, None),
        ({"from": "2026-03-01"}, None),
        (None, None),
    ],
)
def test_a_window_of_the_last_days_has_a_length(window: Any, length: Any) -> None:
    assert values.length_of(window) == length
