"""What is sent to PostgreSQL: values are bound, texts are ours, one dirty value aborts nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from segments.rules.language import LANGUAGE
from segments.rules.moments import Clock
from segments.rules.parsing import parse_rule
from segments.rules.references import resolve
from segments.rules.repository import count_people, plan_for_rules
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from segments.rules.sql.statements import as_text
from tests.segments.rules.storing import Store
from tests.segments.rules.worlds import NOW, Somebody

MARK = "zq9"
CLOCK = Clock(NOW)
NOBODY = {"type": "any", "of": []}


@pytest.fixture
def store(rules_engine: Engine) -> Iterator[tuple[Connection, Store]]:
    with rules_engine.connect() as connection, connection.begin() as transaction:
        yield connection, Store(connection)
        transaction.rollback()


def _marked(value: Any) -> Any:
    """Put a mark into every text of an example that a caller is free to choose."""
    match value:
        case dict():
            return {key: one if key in _CHOICES else _marked(one) for key, one in value.items()}
        case list():
            return [_marked(one) for one in value]
        case str():
            return f"{value}{MARK}"
        case _:
            return value


_CHOICES = {"type", "operator", "measure", "match", "field", "milestone", "within", "window"} | {
    "countries"
}


def _examples() -> list[Any]:
    found = [{"type": name, **example} for name in LANGUAGE for example in LANGUAGE[name].examples]
    return [one for one in found if "ago" not in str(one) and "4.2.0" not in str(one)]


@pytest.mark.parametrize("document", _examples(), ids=lambda one: str(one["type"]))
def test_nothing_that_a_caller_says_is_in_the_text(document: Any) -> None:
    rule = resolve(
        parse_rule(_marked(document)),
        lambda names: {name: parse_rule(NOBODY) for name in names},
    )

    sql, values = as_text(select_people(rule, Scope(1, CLOCK)))

    assert MARK not in sql
    assert all(name.startswith("rule_") for name in values)


@pytest.mark.parametrize(
    "document",
    [
        {"type": "attribute", "name": "a:b", "operator": "equals", "value": ":x %(y)s 50%"},
        {"type": "attribute", "name": "a", "operator": "matches", "value": "^:[a-z]{1,2}%"},
        {"type": "device", "where": [{"field": "app_version", "operator": ">=", "value": "4.2"}]},
        {"type": "event", "name": "buy", "operator": "at_least", "value": 2},
        {"type": "rfm", "event": "buy", "measure": "frequency", "scores": [1]},
        {"type": "bucket", "salt": "a", "from": 0, "to": 5_000},
        {"type": "all", "of": []},
    ],
)
def test_the_text_finds_the_same_people(store: tuple[Connection, Store], document: Any) -> None:
    connection, shop = store
    device = {"platform": "ios", "app_version": "4.2.1", "targets": [("fcm", "active")]}
    attributes = {"a:b": ":x %(y)s 50%", "a": ":ab%"}
    events: list[Any] = [("buy", NOW, {}), ("buy", NOW, {})]
    shop.add([Somebody(attributes, NOW, devices=[device], events=events)] * 3)
    shop.add([Somebody({}, NOW, name="other")])
    statement = select_people(parse_rule(document), Scope(shop.app_id, CLOCK))

    sql, values = as_text(statement)
    found = connection.execute(text(sql), values).scalars().all()

    assert sorted(found) == sorted(row[0] for row in connection.execute(statement))
    assert found


def test_people_of_other_apps_are_never_found(store: tuple[Connection, Store]) -> None:
    connection, shop = store
    shop.add([Somebody({}, NOW)])
    everybody = parse_rule({"type": "all", "of": []})
    plan_for_rules(connection)

    assert count_people(connection, everybody, Scope(shop.app_id, CLOCK)) == 1
    assert count_people(connection, everybody, Scope(shop.app_id + 1, CLOCK)) == 0


def test_a_segment_that_was_not_looked_up_is_no_rule_yet() -> None:
    rule = parse_rule({"type": "segment", "segment": "seg_a"})

    with pytest.raises(ValueError, match="seg_a was not resolved"):
        select_people(rule, Scope(1, CLOCK))
