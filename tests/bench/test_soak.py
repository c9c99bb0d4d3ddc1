"""`bench soak` in a small form, and the server that misbehaves for it."""

from tests.bench.running import result_of, run

_OFTEN = ("--goaway-every", "300", "--reset-every", "700", "--limit-every", "500")


def test_the_sender_is_exact_while_connections_die() -> None:
    done = run("bench.soak", "--json", "--pushes", "5000", "--in-flight", "200", *_OFTEN)

    found = result_of(done)
    assert found["sent"] == 5_000
    assert found["answered"] + found["not_processed"] + found["ambiguous"] == 5_000
    assert found["not_processed_but_processed"] == found["answered_but_not_processed"] == 0
    assert found["double"] == 0
    faults = found["faults"]
    assert faults["goaways"] >= 10
    assert faults["resets"] >= 5
    assert faults["limits"] >= 5
    # Otherwise nothing was tried: some pushes must have met a fault.
    assert found["not_processed"] > 0
    assert found["ambiguous"] > 0


def test_a_sender_that_does_not_end_in_time_is_a_failure() -> None:
    done = run("bench.soak", "--pushes", "100000", "--latency", "500", "--limit", "1")

    assert done.returncode == 1
    assert "did not end within 1 s" in done.stderr
