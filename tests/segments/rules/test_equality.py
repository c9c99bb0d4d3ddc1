"""Two engines, one answer: random rules on random people with dirty data."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, currently_in_test_context, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from segments.rules.canonical import canonical
from segments.rules.evaluate import evaluate
from segments.rules.moments import Clock
from segments.rules.node import Node
from segments.rules.parsing import parse_rule
from segments.rules.references import resolve
from segments.rules.repository import plan_for_rules, read_facts
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from tests.segments.rules.random_rules import INNER, LEAVES, RULES
from tests.segments.rules.storing import Store, as_fractions, bounds, to_facts
from tests.segments.rules.worlds import CLOCKS, PEOPLE, Somebody

# An example takes a world in the database: to shrink it would take longer than to read it, since
# only the people are shown on whom the engines differ.
_COMMON: dict[str, Any] = {
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
}


def _check(engine: Engine, people: Sequence[Somebody], rules: Sequence[Node], clock: Clock) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        store = Store(connection)
        ids = store.add(people)
        scope = Scope(store.app_id, clock)
        plan_for_rules(connection)
        everybody = [to_facts(index, one, clock) for index, one in enumerate(people)]
        for rule in rules:
            found = sorted(row[0] for row in connection.execute(select_people(rule, scope)))
            rankings = bounds(rule, everybody, clock)
            facts = [replace(one, rankings=rankings) for one in everybody]
            wanted = sorted(ids[one.external_id] for one in facts if evaluate(rule, one, clock))
            for one in facts:
                if (ids[one.external_id] in found) is not (ids[one.external_id] in wanted):
                    _tell(f"{rule}\nin SQL: {ids[one.external_id] in found}, {one}")
            assert found == wanted
            read = read_facts(connection, rule, scope, list(ids.values()))
            assert sorted(key for key, one in read.items() if evaluate(rule, one, clock)) == wanted
            for key, values in next(iter(read.values())).rankings.items():
                assert as_fractions(values) == as_fractions(rankings[key])
            same = canonical(rule)
            assert [evaluate(same, one, clock) for one in facts] == [
                evaluate(rule, one, clock) for one in facts
            ]
        transaction.rollback()


def _tell(words: str) -> None:
    (note if currently_in_test_context() else print)(words)


def _resolved(document: Any, inner: Sequence[Any]) -> Node:
    segments = {"seg_one": parse_rule(inner[0]), "seg_two": parse_rule(inner[1])}
    return resolve(parse_rule(document), lambda names: {name: segments[name] for name in names})


_WORLD = {
    "people": PEOPLE,
    "documents": st.lists(RULES, min_size=1, max_size=5),
    "inner": st.tuples(INNER, INNER),
    "clock": CLOCKS,
}


@settings(max_examples=30, **_COMMON)
@given(**_WORLD)
def test_sql_and_evaluation_find_the_same_people(
    rules_engine: Engine, people: Any, documents: Any, inner: Any, clock: Clock
) -> None:
    _check(rules_engine, people, [_resolved(one, inner) for one in documents], clock)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@settings(max_examples=3_000, **_COMMON)
@given(**_WORLD)
def test_sql_and_evaluation_find_the_same_people_at_length(
    rules_engine: Engine, people: Any, documents: Any, inner: Any, clock: Clock
) -> None:
    _check(rules_engine, people, [_resolved(one, inner) for one in documents], clock)


# Values and texts that read like them, and what sorts next to them in a jsonb column.
_ALIKE: tuple[Any, ...] = (
    *(1, "1", Decimal("1.50"), "1.50", 0, -1, True, "true", False, "false", None, "null"),
    *([], "[]", [1], "[1]", ["gold"], '["gold"]', {}, "{}", {"d": 1}, '{"d": 1}', [[]]),
    *("gold", '"gold"', "Gold", "", " ", "A", "-", "NaN", "[" * 900, "2026-03-29"),
)
_ALIKE_TEXTS = [one for one in _ALIKE if isinstance(one, str)]
_ALIKE_NUMBERS = [1, 0, -1, 1.5, 2]
_CLOCK = Clock(datetime(2026, 3, 29, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("operators", "values"),
    [
        (["equals", "not_equals"], [*_ALIKE_TEXTS, *_ALIKE_NUMBERS, True, False]),
        (["in"], [[1, "gold"], [True, "gold"], _ALIKE_TEXTS, *([one] for one in _ALIKE_TEXTS)]),
        (["<", "<=", ">", ">="], _ALIKE_NUMBERS),
        (["contains", "starts_with"], [one for one in _ALIKE_TEXTS if one]),
    ],
)
def test_what_reads_alike_is_told_apart(
    rules_engine: Engine, operators: Sequence[str], values: Sequence[Any]
) -> None:
    documents = [
        {"type": "attribute", "name": name, "operator": operator, "value": value}
        for name in ("a", "deep.a")
        for operator in operators
        for value in values
    ]
    _check(rules_engine, _alike_people(), [parse_rule(one) for one in documents], _CLOCK)


@pytest.mark.parametrize("operator", ["exists", "missing"])
def test_null_is_missing_and_all_else_is_there(rules_engine: Engine, operator: str) -> None:
    documents = [
        {"type": "attribute", "name": name, "operator": operator}
        for name in ("a", "deep.a", "deep.a.d", "a.d", "b")
    ]
    _check(rules_engine, _alike_people(), [parse_rule(one) for one in documents], _CLOCK)


def _alike_people() -> list[Somebody]:
    return [Somebody({"a": one, "deep": {"a": one}}, _CLOCK.now) for one in _ALIKE]


@pytest.mark.parametrize("name", LEAVES)
@settings(max_examples=10, **_COMMON)
@given(data=st.data(), people=PEOPLE, clock=CLOCKS)
def test_each_node_is_the_same_in_both(
    name: str, rules_engine: Engine, data: st.DataObject, people: Any, clock: Clock
) -> None:
    inner = data.draw(st.tuples(INNER, INNER))
    documents = data.draw(st.lists(LEAVES[name], min_size=1, max_size=5))
    _check(rules_engine, people, [_resolved(one, inner) for one in documents], clock)
