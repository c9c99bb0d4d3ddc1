"""Explanations agree with membership: for each pair of a rule and a person, as both are asked."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from segments.people.repository import find_by_ids
from segments.reach.people import explain_person
from segments.rules.explaining import Finding
from segments.rules.moments import Clock
from segments.rules.node import All, InSegment, Node, Not, Some, children
from segments.rules.parsing import parse_rule
from segments.rules.references import resolve
from segments.rules.repository import plan_for_rules
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from tests.segments.rules.random_rules import INNER, RULES
from tests.segments.rules.storing import Store
from tests.segments.rules.worlds import CLOCKS, PEOPLE, Somebody


def test_some_pairs_agree(rules_engine: Engine) -> None:
    _compare(rules_engine, 300)


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_ten_thousand_pairs_agree(rules_engine: Engine) -> None:
    _compare(rules_engine, 10_000)


def _compare(engine: Engine, wanted: int) -> None:
    """Draw worlds, always the same, until so many pairs agreed; both answers must be common."""
    pairs = Counter[bool]()

    @seed(8)
    @settings(
        max_examples=wanted,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        people=PEOPLE,
        documents=st.lists(RULES, min_size=1, max_size=5),
        inner=st.tuples(INNER, INNER),
        clock=CLOCKS,
    )
    def explain_all(people: Any, documents: Any, inner: Any, clock: Clock) -> None:
        if pairs.total() >= wanted:
            return
        segments = {"seg_one": parse_rule(inner[0]), "seg_two": parse_rule(inner[1])}
        rules = [
            resolve(parse_rule(one), lambda names: {name: segments[name] for name in names})
            for one in documents
        ]
        with engine.connect() as connection, connection.begin() as transaction:
            pairs.update(_answers(connection, people, rules, clock))
            transaction.rollback()

    explain_all()

    assert pairs.total() >= wanted
    assert min(pairs[True], pairs[False]) > wanted / 10, pairs


def _answers(
    connection: Connection, people: Sequence[Somebody], rules: Sequence[Node], clock: Clock
) -> Counter[bool]:
    store = Store(connection)
    ids = store.add(people)
    scope = Scope(store.app_id, clock)
    plan_for_rules(connection)
    everybody = find_by_ids(connection, store.app_id, list(ids.values()))
    answers = Counter[bool]()
    for rule in rules:
        members = {row[0] for row in connection.execute(select_people(rule, scope))}
        for person in everybody:
            found = explain_person(connection, rule, scope, person)
            note(f"{rule}\n{person}\n{found}")
            assert found.holds is (person.id in members)
            assert found.holds is _follows(rule, found)
            answers[found.holds] += 1
    return answers


def _follows(rule: Node, found: Finding) -> bool:
    """Return what a node must say by what those inside of it said."""
    inside = (rule.rule,) if isinstance(rule, InSegment) else children(rule)
    assert len(inside) == len(found.inside)
    said = [_follows(node, one) for node, one in zip(inside, found.inside, strict=True) if node]
    assert said == [one.holds for one in found.inside]
    match rule:
        case All() | InSegment():
            return all(said)
        case Some():
            return any(said)
        case Not():
            return not said[0]
        case _:
            return found.holds
