"""The benchmark of transactional pushes, in a short form."""

import time

import pytest

from bench.probes import percentile
from tests.bench.reference import undocumented_keys
from tests.bench.running import result_of, run


def test_pushes_are_timed_idle_and_beside_a_campaign() -> None:
    began = time.monotonic()

    done = run("bench.transactional", "--samples", "20", "--devices", "40000", "--json")

    found = result_of(done)
    limit_ms = (time.monotonic() - began) * 1e3
    for phase in ("idle", "busy"):
        assert 0 < found[f"{phase}_p50_ms"] <= found[f"{phase}_p99_ms"] < limit_ms, found
        # The answer may come first, as sending begins only after the commit.
        assert 0 < found[f"{phase}_answer_p50_ms"] < limit_ms, found
    assert found["samples"] >= 20
    assert found["busy_campaign_pushes_per_second"] > 0
    assert found["alone_campaign_pushes_per_second"] > 0
    assert (found["lost"], found["duplicates"]) == (0, 0)
    assert found["conditions"]["fsync"] == "on"
    assert undocumented_keys("transactional", found) == []


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.99, 4), (0.25, 1)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([4, 1, 3, 2], share) == expected
