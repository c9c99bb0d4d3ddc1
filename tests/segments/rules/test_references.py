"""Segments that name segments."""

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import InvalidPayloadError
from segments.rules.mentions import find_mentions
from segments.rules.node import InSegment, Node
from segments.rules.parsing import parse_rule
from segments.rules.references import resolve


def link(*names: str) -> dict[str, Any]:
    return {"type": "any", "of": [{"type": "segment", "segment": name} for name in names]}


LEAF = {"type": "attribute", "name": "a", "operator": "exists"}


class Segments:
    """Segments by name, which counts how often it was asked."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._rules = {name: parse_rule(one) for name, one in documents.items()}
        self.asked: list[frozenset[str]] = []

    def load(self, names: frozenset[str]) -> Mapping[str, Node]:
        self.asked.append(names)
        return {name: self._rules[name] for name in names if name in self._rules}


def fault(document: Any, segments: Segments, own: str | None = None) -> tuple[str, str, str]:
    with pytest.raises(InvalidPayloadError) as raised:
        resolve(parse_rule(document, "/rule"), segments.load, own=own)
    (field,) = raised.value.fields
    return field.pointer, field.code, field.message


def test_segments_are_looked_up_once_for_each_level() -> None:
    segments = Segments({"seg_a": link("seg_b", "seg_c"), "seg_b": link("seg_c"), "seg_c": LEAF})

    rule = resolve(parse_rule(link("seg_a")), segments.load)

    assert segments.asked == [{"seg_a"}, {"seg_b", "seg_c"}]
    mentions = find_mentions(rule)
    assert mentions.segments == {"seg_a", "seg_b", "seg_c"}
    assert mentions.attributes == {("a",)}


def test_a_rule_without_segments_asks_nobody() -> None:
    segments = Segments({})

    assert not isinstance(resolve(parse_rule(LEAF), segments.load), InSegment)
    assert segments.asked == []


def test_a_segment_that_leads_to_itself_is_refused_with_the_way() -> None:
    segments = Segments({"seg_a": link("seg_b"), "seg_b": link("seg_c"), "seg_c": link("seg_a")})

    assert fault(link("seg_b"), segments, own="seg_a") == (
        "/rule/of/0/segment",
        "segment_cycle",
        "The segment leads back to itself: seg_a → seg_b → seg_c → seg_a.",
    )
    assert fault({"type": "not", "of": link("seg_own")}, segments, own="seg_own")[:2] == (
        "/rule/of/of/0/segment",
        "segment_cycle",
    )


def test_a_loop_that_is_stored_already_is_refused_too() -> None:
    segments = Segments({"seg_a": link("seg_b"), "seg_b": link("seg_a")})

    assert fault(link("seg_a"), segments)[1] == "segment_cycle"


def test_a_segment_that_does_not_exist_is_named_wherever_it_is_meant() -> None:
    segments = Segments({"seg_a": link("seg_gone"), "seg_b": LEAF})

    assert fault(link("seg_b", "seg_a"), segments) == (
        "/rule/of/1/segment",
        "unknown_segment",
        "The app has no segment seg_gone.",
    )


def test_the_same_segment_in_two_places_is_no_loop() -> None:
    segments = Segments({"seg_a": link("seg_c"), "seg_b": link("seg_c"), "seg_c": LEAF})

    resolve(parse_rule(link("seg_a", "seg_b")), segments.load, own="seg_own")


def _chain(length: int) -> Segments:
    links = {f"seg_{index}": link(f"seg_{index + 1}") for index in range(length - 1)}
    return Segments({**links, f"seg_{length - 1}": LEAF})


def test_ten_segments_may_follow_each_other() -> None:
    assert len(find_mentions(resolve(parse_rule(link("seg_0")), _chain(10).load)).segments) == 10
    assert fault(link("seg_0"), _chain(11))[:2] == ("/rule/of/0", "rule_too_deep")


def test_a_chain_longer_than_the_stack_is_refused_before_all_of_it_is_read() -> None:
    chain = _chain(3_000)

    assert fault(link("seg_0"), chain)[1] == "rule_too_deep"
    assert len(chain.asked) == 10


def test_a_way_that_is_long_beside_short_ones_counts() -> None:
    links = {f"seg_{index}": link(f"seg_{index + 1}") for index in range(10)}
    segments = Segments({**links, "seg_10": LEAF})

    assert fault(link(*links, "seg_10"), segments)[1] == "rule_too_deep"


def test_segments_that_multiply_are_refused() -> None:
    many = {f"seg_{index}": link(*[f"seg_{index + 1}"] * 9) for index in range(9)}
    segments = Segments({**many, "seg_9": LEAF})

    assert fault(link("seg_0"), segments)[1] == "too_many_nodes"
