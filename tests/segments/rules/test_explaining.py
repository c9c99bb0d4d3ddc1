"""Why somebody is meant or not, in plain words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.rules.evaluate import evaluate
from segments.rules.explaining import Finding, explain
from segments.rules.facts import DeviceFacts, EventFacts, Facts, MessageFacts
from segments.rules.mentions import find_mentions, find_warnings
from segments.rules.moments import Clock
from segments.rules.parsing import parse_rule
from segments.rules.references import resolve
from tests.segments.rules.random_rules import RULES
from tests.segments.rules.storing import bounds, to_facts
from tests.segments.rules.worlds import CLOCKS, PEOPLE

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
CLOCK = Clock(NOW)
YES = True
ADA = Facts(
    external_id="ada",
    created_at=NOW - timedelta(days=10),
    attributes={"orders": Decimal(3), "name": "Ada", "tags": ["a"], "birthday": "1815-03-29",
                "lat": Decimal("52.5"), "lon": Decimal("13.4"), "long": "x" * 200},
    country="DE",
    consents={"push": True},
    devices=[DeviceFacts("ios", frozenset({"apns"}), NOW, app_version="4.2.0")],
    events=[EventFacts("buy", NOW - timedelta(hours=hours), {"amount": Decimal("9.50")})
            for hours in (1, 30)],
    messages=[MessageFacts("msg_a", "accepted", NOW)],
    lists=frozenset({"lst_a"}),
)  # fmt: skip


def said(document: Any, facts: Facts = ADA) -> Finding:
    return explain(parse_rule(document), facts, CLOCK)


def attribute(name: str, operator: str, value: Any = None) -> dict[str, Any]:
    node = {"type": "attribute", "name": name, "operator": operator}
    return node if value is None else {**node, "value": value}


def person(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"type": "person", "field": field, "operator": operator, "value": value}


BUY = {"type": "event", "name": "buy"}
NEAR = {"type": "geo", "near": {"lat": 52.5, "lon": 13.4}, "within_km": 5}
RFM = {"type": "rfm", "event": "buy", "measure": "frequency", "scores": [5]}
SEQUENCE = {"type": "sequence", "first": {"event": "buy"}, "within": "1 day"}


@pytest.mark.parametrize(
    ("document", "holds", "words"),
    [
        (attribute("orders", ">=", 3), True, "the attribute `orders` is 3, which is at least 3"),
        (attribute("orders", "<", 3), False,
         "the attribute `orders` is 3, which is not less than 3"),
        (attribute("orders", "equals", "3"), False,
         'the attribute `orders` is 3, which is not equal to "3"'),
        (attribute("age", "<", 3), False, "the attribute `age` is missing"),
        (attribute("age", "missing"), True, "the attribute `age` is missing"),
        (attribute("name", "missing"), False,
         'the attribute `name` is "Ada", so it is not missing'),
        (attribute("name", "in", ["Ada", "Eve"]), True,
         'the attribute `name` is "Ada", which is one of "Ada", "Eve"'),
        (attribute("orders", "between", [1, 2]), False,
         "the attribute `orders` is 3, which is not between 1 and 2"),
        (attribute("birthday", "before", "30 days ago"), True,
         'the attribute `birthday` is "1815-03-29", which is before 30 days ago'),
        (attribute("birthday", "is_anniversary"), True, ('the attribute `birthday` is "1815-03-29",'
         " which is an anniversary on the day that is asked about")),
        (attribute("name", "matches", "^A"), True,
         'the attribute `name` is "Ada", which is a text that matches ^A'),
        (BUY, True, "the person did `buy` 2 times, which is at least 1"),
        ({**BUY, "window": {"last": "2 hours"}, "operator": "exactly", "value": 0}, False,
         "the person did `buy` in the last 2 hours 1 times, which is not exactly 0"),
        ({**BUY, "measure": "sum", "property": "amount", "operator": "equals", "value": 19}, True,
         "the sum of `amount` of `buy` is 19, which is equal to 19"),
        ({**BUY, "measure": "avg", "property": "x", "operator": "<", "value": 19}, False,
         "the avg of `x` of `buy` does not exist"),
        ({**BUY, "measure": "last", "operator": "after", "value": "2 hours ago"}, True,
         "the last `buy` is 2026-03-29 11:00:00 UTC, which is after 2 hours ago"),
        ({**SEQUENCE, "then": {"event": "pay"}}, False,
         "the person did `buy` 2 times; none was followed by `pay` within 1 day"),
        ({**SEQUENCE, "then_not": {"event": "pay"}}, True,
         "the person did `buy` 2 times; at least one was not followed by `pay` within 1 day"),
        ({**SEQUENCE, "first": {"event": "x"}, "then": {"event": "pay"}}, False,
         "the person did not do `x`"),
        ({"type": "device", "match": "every", "where": [
            {"field": "app_version", "operator": "<", "value": "4.2"}]}, False,
         "0 of 1 devices meet the conditions, and all of them must"),
        ({"type": "message", "milestone": "accepted"}, True, "a message was accepted"),
        ({"type": "message", "milestone": "sent", "message": "msg_b",
          "window": {"from": "2026-03-01"}},
         False, "the message msg_b was not sent from 2026-03-01"),
        ({"type": "message", "milestone": "converted"}, False,
         "what was converted is not kept yet"),
        ({"type": "message", "milestone": "sent", "campaign": "c"}, False,
         "which campaign a message is of is not kept yet"),
        (person("has_device", "equals", not YES), False, "the person has a device"),
        (person("push_consent", "equals", YES), True, "consent to push is given"),
        (person("country", "equals", "AT"), False,
         'the person\'s country is "DE", which is not equal to "AT"'),
        (person("created", "after", "now"), False,
         "the person's first day is 2026-03-19 12:00:00 UTC, which is not after now"),
        (person("last_seen", "after", "now"), False, "the person's last day seen is missing"),
        (NEAR, True, "the person is 0.0 km away, 5 km are asked for"),
        ({**NEAR, "latitude": "name"}, False, "the attributes `name` and `lon` are no degrees"),
        ({"type": "geo", "countries": ["AT", "CH"]}, False, "the country is DE, none of AT, CH"),
        (RFM, False, "the person is not ranked by frequency of `buy`"),
        ({"type": "list", "list": "lst_a"}, True, "the person is on the list lst_a"),
        ({"type": "list", "list": "lst_b"}, False, "the person is not on the list lst_b"),
        ({"type": "bucket", "salt": "a", "from": 0, "to": 9999}, True,
         "part 7865 of 10000 is in 0 to 9999"),
        ({"type": "all", "of": []}, True, "nothing is asked, so it holds for everybody"),
        ({"type": "any", "of": []}, False, "nothing is offered, so it holds for nobody"),
        ({"type": "all", "of": [BUY, NEAR, RFM]}, False, "2 of 3 hold, and all of them must"),
        ({"type": "any", "of": [BUY, RFM]}, True, "1 of 2 hold, and one of them must"),
        ({"type": "not", "of": BUY}, False, "what is inside holds"),
    ],
)  # fmt: skip
def test_each_node_says_why(document: Any, holds: bool, words: str) -> None:  # noqa: FBT001
    found = said(document)

    assert (found.holds, found.words) == (holds, words)


def test_a_score_is_said() -> None:
    (key,) = bounds(parse_rule(RFM), [ADA], CLOCK)
    found = said(RFM, replace(ADA, rankings={key: [1, 1, 1, 2]}))

    assert found.words == "the score by frequency of `buy` is 4, which is not one of 5"


def test_somebody_without_a_device_is_told_so() -> None:
    found = said({"type": "device"}, replace(ADA, devices=()))

    assert found.words == "the person has no device that is registered"


def test_values_are_cut_to_a_line() -> None:
    assert len(said(attribute("long", "exists")).words) < 150


def test_nodes_inside_are_explained_where_they_stand() -> None:
    inner = parse_rule(BUY, "/of")
    rule = resolve(
        parse_rule({"type": "not", "of": {"type": "segment", "segment": "seg_a"}}),
        lambda _: {"seg_a": inner},
    )

    found = explain(rule, ADA, CLOCK)

    (segment,) = found.inside
    (buy,) = segment.inside
    assert (segment.pointer, segment.words) == ("/of", "the person is in the segment seg_a")
    assert (buy.holds, buy.words) == (True, "the person did `buy` 2 times, which is at least 1")


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(document=RULES, inner=st.tuples(RULES, RULES), people=PEOPLE, clock=CLOCKS)
def test_every_rule_is_explained_as_it_is_evaluated(
    document: Any, inner: Any, people: Any, clock: Clock
) -> None:
    segments = {
        "seg_one": parse_rule({"type": "any", "of": []}),
        "seg_two": parse_rule({"type": "all", "of": []}),
    }
    rule = resolve(parse_rule(document), lambda names: {name: segments[name] for name in names})
    everybody = [to_facts(index, one, clock) for index, one in enumerate(people)]
    rankings = bounds(rule, everybody, clock)

    for facts in everybody:
        known = replace(facts, rankings=rankings)
        found = explain(rule, known, clock)
        assert found.holds is evaluate(rule, known, clock)
        assert all(found.words.strip() for found in _all(found))


def _all(found: Finding) -> list[Finding]:
    return [found, *(each for one in found.inside for each in _all(one))]


def test_a_range_that_nothing_lies_in_is_warned_about() -> None:
    where = {"where": [{"name": "total", "operator": "between", "value": [3, 2.5]}]}
    rule = parse_rule(
        {
            "type": "any",
            "of": [
                attribute("orders", "between", [1, 1.5]),
                attribute("orders", "between", [5, 1]),
                {**BUY, "operator": "between", "value": [2, 1]},
                {**BUY, **where},
                attribute("orders", "between", ["2026-02-01", "2026-01-01"]),
            ],
        }
    )

    warned = find_warnings(rule, frozenset({"orders"}), frozenset({"buy"}))

    assert [(one.pointer, one.code) for one in warned] == [
        ("/of/1", "empty_range"),
        ("/of/2", "empty_range"),
        ("/of/3/where/0", "empty_range"),
    ]
    assert warned[0].message == "No number is between 5 and 1."


def test_what_nobody_can_have_is_warned_about() -> None:
    rule = parse_rule(
        {
            "type": "any",
            "of": [
                attribute("orders", ">", 1),
                attribute("ordrs.x", ">", 1),
                BUY,
                {"type": "event", "name": "bye"},
                {"type": "message", "milestone": "converted", "campaign": "c"},
                NEAR,
            ],
        }
    )

    warned = find_warnings(rule, frozenset({"orders", "lat"}), frozenset({"buy"}))

    assert [(one.pointer, one.code) for one in warned] == [
        ("/of/1", "unknown_attribute"),
        ("/of/3", "unknown_event"),
        ("/of/4", "not_kept"),
        ("/of/4", "not_kept"),
        ("/of/5", "unknown_attribute"),
    ]


def test_a_rule_says_what_it_reads() -> None:
    mentions = find_mentions(
        parse_rule({"type": "all", "of": [
            attribute("a.b", "exists"), BUY, {**SEQUENCE, "then": {"event": "pay"}}, RFM, NEAR,
            {"type": "device"}, {"type": "message", "milestone": "sent"},
            {"type": "list", "list": "lst_a"}, person("country", "equals", "DE"),
            {"type": "bucket", "salt": "a", "from": 0, "to": 1}, attribute("day", "is_anniversary"),
            {"type": "geo", "countries": ["DE"]}]})
    )  # fmt: skip

    assert mentions.attributes == {("a", "b"), ("lat",), ("lon",), ("day",)}
    assert mentions.events == {"buy", "pay"}
    assert (mentions.devices, mentions.messages) == (True, True)
    assert mentions.lists == {"lst_a"}
    assert len(mentions.rankings) == 1
    assert mentions.about == {"country", "external_id", "time_zone"}
