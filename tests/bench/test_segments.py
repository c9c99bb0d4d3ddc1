"""The benchmark of segments, in a short form, and the rules it asks."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from bench.town.asking import read
from bench.town.rules import RULES
from segments.rules.language import LANGUAGE
from segments.rules.mentions import walk_all
from segments.rules.node import Event, Message
from tests.bench.reference import undocumented_keys
from tests.bench.running import result_of, run


def test_every_count_is_as_the_evaluator_says_and_timed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    words = ("--people", "2000", "--repeats", "1", "--sample", "300", "--keep", str(tmp_path))

    found = result_of(run("bench.segments", *words, "--against", "500", "--json"))

    assert (found["people"], found["events"]) == (2_000, 20_000)
    assert found["rules"] == found["checked"] == len(RULES) >= 40
    assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["max_ms"]
    assert 0 < found["waterfall_p95_ms"] <= found["waterfall_max_ms"]
    assert found["audience_seconds"] == max(found["audiences"].values()) > 0
    assert len(found["audiences"]) == 10
    assert (found["against"]["people"], found["against"]["events"]) == (500, 5_000)
    assert found["growth_people"] == 4.0
    assert found["growth_largest"].keys() < found["counts"].keys() == RULES.keys()
    assert 0 < found["growth_p50"] <= max(found["growth_largest"].values())
    conditions = found["conditions"]
    assert conditions["device_rows"] == 3_000
    assert 9_000 < conditions["ledger_rows"] < 11_000
    assert undocumented_keys("segments", found) == []
    refused = run("bench.segments", "--people", "10", "--keep", str(tmp_path))
    assert (refused.returncode, "has 2000 people" in refused.stderr) == (1, True)
    refused = run("bench.segments", "--people", "10", "--against", "10")
    assert (refused.returncode, "fewer than --people" in refused.stderr) == (1, True)


def test_the_rules_hold_every_node_and_differ_at_every_draw() -> None:
    rng = Random(8)
    drawn = {name: (make(rng), make(rng)) for name, make in RULES.items()}

    nodes = [node for one, _ in drawn.values() for node in walk_all(read(one))]
    assert {kind for one, _ in drawn.values() for kind in _kinds(one)} == set(LANGUAGE)
    measures = {"count", "sum", "avg", "min", "max", "first", "last"}
    assert {node.measure for node in nodes if isinstance(node, Event)} == measures
    assert any(isinstance(node, Message) and node.message for node in nodes)
    assert [name for name, (one, other) in drawn.items() if one == other] == ["everybody"]


def _kinds(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        yield from [document["type"]] if "type" in document else []
        for value in document.values():
            yield from _kinds(value)
    elif isinstance(document, list):
        for value in document:
            yield from _kinds(value)
