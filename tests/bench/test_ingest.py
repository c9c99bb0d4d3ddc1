"""The benchmark of ingest, in a short form, and its client."""

import pytest

from bench.errors import BenchError
from bench.lean_client import post, run_load
from bench.servers.ports import free_port
from tests.bench.reference import undocumented_keys
from tests.bench.running import result_of, run


def test_what_is_answered_is_counted_and_timed() -> None:
    done = run("bench.ingest", "--requests", "60", "--batches", "3", "--connections", "8", "--json")

    found = result_of(done)
    for name in ("batched_events", "single_requests", "registrations"):
        assert found[f"{name}_per_second"] > 0
        assert 0 < found[f"{name}_p50_ms"] <= found[f"{name}_p99_ms"] <= found["p99_ms"]
        assert found[f"{name}_server_cpu_us"] >= 0
    assert (found["lost"], found["duplicates"]) == (0, 0)
    assert found["conditions"]["fsync"] == "on"
    assert undocumented_keys("ingest", found) == []


def test_a_load_that_nobody_answers_is_an_error() -> None:
    with pytest.raises((BenchError, OSError)):
        run_load(free_port(), 2, iter([post("/", "key", b"{}")]))
