"""The benchmark of campaigns, in a short form."""

from tests.bench.reference import undocumented_keys
from tests.bench.running import result_of, run


def test_a_campaign_is_counted_by_the_gateway_and_costs_are_told_apart() -> None:
    found = result_of(run("bench.campaign", "--devices", "20000", "--cancel", "--json"))

    accepted = found["counts"]["accepted"]
    assert (found["devices"], found["lost"], found["duplicates"]) == (20_000, 0, 0), found
    assert found["distinct_payloads"] == accepted < 20_000
    assert sum(found["counts"].values()) == 20_000
    assert {"campaign_worker", "database", "gateway", "api"} <= found["cpu_us_per_push"].keys()
    assert "cancel_seconds" in found
    assert undocumented_keys("campaign", found) == []
