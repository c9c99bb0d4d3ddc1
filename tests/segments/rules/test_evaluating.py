"""Comparisons and measures on values of every type, one by one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from segments.rules.evaluate import evaluate
from segments.rules.facts import DeviceFacts, EventFacts, Facts
from segments.rules.moments import Clock
from segments.rules.parsing import parse_rule

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
CLOCK = Clock(NOW)
NOBODY = Facts(external_id="ada", created_at=NOW)
MISSING = object()


def holds(document: Any, facts: Facts) -> bool:
    return evaluate(parse_rule(document), facts, CLOCK)


def compared(value: Any, operator: str, wanted: Any = MISSING) -> bool:
    node = {"type": "attribute", "name": "a", "operator": operator}
    attributes = {} if value is MISSING else {"a": value}
    document = node if wanted is MISSING else {**node, "value": wanted}
    return holds(document, replace(NOBODY, attributes=attributes))


ODD: Sequence[Any] = [MISSING, None, {}, {"a": 1}, [], [1], ["a"], [None]]


@pytest.mark.parametrize("value", [*ODD, "", "a", 0, 1.5, True, False])
@pytest.mark.parametrize(
    ("operator", "wanted"),
    [
        ("equals", "x"),
        ("equals", 7),
        ("in", [7, "x"]),
        ("contains", "x"),
        ("starts_with", "x"),
        ("matches", "x"),
        ("<", -1),
        (">", 9),
        ("between", [7, 8]),
        ("before", "1970-01-01"),
        ("between", ["2026-01-01", "now"]),
        ("is_anniversary", 0),
        ("array_contains", "x"),
    ],
)
def test_what_is_something_else_compares_false(value: Any, operator: str, wanted: Any) -> None:
    assert not compared(value, operator, wanted)


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("wanted", ["x", 7, True])
def test_what_has_another_type_is_not_even_unequal(value: Any, wanted: Any) -> None:
    assert not compared(value, "not_equals", wanted)


@pytest.mark.parametrize(
    ("value", "operator", "wanted"),
    [
        ("5", "not_equals", "6"),
        (True, "not_equals", False),
        (1, "not_equals", 2),
        (1, "equals", 1.0),
        (Decimal("1.00"), "equals", 1),
        (0.1, "equals", 0.1),
        (1, "in", [2, 1]),
        (True, "in", [True]),
        (3, "between", [3, 3]),
        (10**400, ">", 1e300),
        ("2026-03-29", "between", ["2026-03-29", "2026-03-29"]),
        ("2026-03-29T14:00:00+02:00", "between", ["now", "now"]),
        ("2026-03-29T06:30:00-05:30", "after", "1 minute ago"),
        ("2025-03-29", "is_anniversary", 0),
        ("2024-02-29", "is_anniversary", -29),
        ([1, "x", True], "array_contains", "x"),
        (["", 1], "array_contains", 1),
        ("", "exists", MISSING),
        ({}, "exists", MISSING),
        (None, "missing", MISSING),
        (MISSING, "missing", MISSING),
    ],
)
def test_what_fits_compares_true(value: Any, operator: str, wanted: Any) -> None:
    assert compared(value, operator, wanted)


@pytest.mark.parametrize(
    ("value", "operator", "wanted"),
    [
        ("5", "equals", 5),
        (1, "equals", True),
        (True, "equals", 1),
        (5, "contains", "5"),
        (Decimal("0.10000000000000000001"), "equals", 0.1),
        ("A", "equals", "a"),
        ("e\u0301", "equals", "é"),
        ("2026-03-29", "is_anniversary", 0),
        ("2026-02-29", "before", "now"),
        ("2026-03-29T12:00:00", "before", "in 1 year"),
        (1774785600, "before", "in 1 year"),
        ([[1]], "array_contains", 1),
        ([True], "array_contains", 1),
        (0, "missing", MISSING),
        (None, "exists", MISSING),
    ],
)
def test_nothing_is_converted(value: Any, operator: str, wanted: Any) -> None:
    assert not compared(value, operator, wanted)


@pytest.mark.parametrize(
    ("measure", "operator", "wanted", "fits"),
    [
        ("sum", "equals", 4.4, True),
        ("sum", "between", [4, 5], True),
        ("min", "equals", 0.1, True),
        ("max", "equals", 3.3, True),
        ("avg", "equals", 1.1, True),
        ("avg", ">", 1.1, False),
    ],
)
def test_amounts_are_exact(measure: str, operator: str, wanted: Any, fits: bool) -> None:  # noqa: FBT001
    amounts = ["0.1", "0.2", "3.3", "0.8"]
    odd = ["1", True, None, [5], Decimal("1e400")]
    values = [*map(Decimal, amounts), *odd]
    events = [EventFacts("buy", NOW, {"amount": value}) for value in values]
    node = {"type": "event", "name": "buy", "measure": measure, "property": "amount"}

    found = holds({**node, "operator": operator, "value": wanted}, replace(NOBODY, events=events))

    assert found is fits


@pytest.mark.parametrize(
    ("version", "operator", "wanted", "fits"),
    [
        ("4.10", ">", "4.9", True),
        ("v4.2", "equals", "4.2.0", True),
        ("4.2.0-beta.2", "<", "4.2.0-beta.11", True),
        ("4.2.0-beta", "<", "4.2.0", True),
        ("4.2.0+17", "equals", "4.2.0", True),
        ("4.2", "in", ["4.1", "4.2.0"], True),
        ("4.2", "between", ["4.1", "4.3"], True),
        ("4.4", "between", ["4.1", "4.3"], False),
        ("4.x", "not_equals", "4.1", False),
        (None, "<", "4.1", False),
        (None, "missing", MISSING, True),
        ("4.x", "exists", MISSING, True),
    ],
)
def test_versions_are_semantic(
    version: str | None,
    operator: str,
    wanted: Any,
    fits: bool,  # noqa: FBT001
) -> None:
    device = DeviceFacts("ios", frozenset({"apns"}), NOW, app_version=version)
    condition = {"field": "app_version", "operator": operator}
    where = [condition if wanted is MISSING else {**condition, "value": wanted}]

    assert holds({"type": "device", "where": where}, replace(NOBODY, devices=[device])) is fits


def test_a_sequence_holds_at_its_last_moment_and_not_later() -> None:
    hour = timedelta(hours=1)
    steps = {"first": {"event": "a"}, "within": "1 hour"}
    late = timedelta(microseconds=1)
    pairs = {
        gap: replace(
            NOBODY, events=[EventFacts("a", NOW - 3 * hour), EventFacts("b", NOW - 3 * hour + gap)]
        )
        for gap in (timedelta(0), hour, hour + late)
    }

    followed = [
        holds({"type": "sequence", **steps, "then": {"event": "b"}}, one) for one in pairs.values()
    ]
    alone = [
        holds({"type": "sequence", **steps, "then_not": {"event": "b"}}, one)
        for one in pairs.values()
    ]

    assert (followed, alone) == ([False, True, False], [True, False, True])


def test_what_may_still_be_done_is_not_left_undone() -> None:
    node = {
        "type": "sequence",
        "first": {"event": "a"},
        "then_not": {"event": "b"},
        "within": "1 hour",
    }
    began = [EventFacts("a", NOW - timedelta(minutes=59))]

    assert not holds(node, replace(NOBODY, events=began))
    assert evaluate(
        parse_rule(node), replace(NOBODY, events=began), Clock(NOW + timedelta(minutes=1))
    )
