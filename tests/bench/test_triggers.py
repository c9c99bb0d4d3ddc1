"""The benchmark of triggers, in a short form."""

from tests.bench.reference import undocumented_keys
from tests.bench.running import result_of, run


def test_each_event_is_told_of_once_in_and_once_out() -> None:
    found = result_of(run("bench.triggers", "--rate", "100", "--seconds", "3", "--json"))

    assert found["events"] == found["entered"] == found["left"] == 300
    assert (found["missing"], found["twice"]) == (0, 0)
    assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["max_ms"]
    assert undocumented_keys("triggers", found) == []
