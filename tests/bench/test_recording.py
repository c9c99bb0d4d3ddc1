"""The benchmark of recording counts what it recorded, and says under which conditions."""

from tests.bench.running import result_of, run


def test_recording_is_measured_for_both_profiles() -> None:
    done = run("bench.recording", "--devices", "1500", "--rounds", "1", "--json")

    found = result_of(done)
    for profile in ("accepted", "mixed"):
        assert found[profile]["worker_cpu_us"] > 0, found
        assert found[profile]["record_wall_us"] > 0, found
    assert found["chunk_updates"]["updates"] > 0, found
    assert found["conditions"]["synchronous_commit"] == "on", found
