"""The benchmark of pacing, in a short form, and what it makes of the gateway's counts."""

import argparse
from pathlib import Path

import pytest
import redis

from api.services.pair import EmbeddedOptions, embedded_pair
from bench.disturbance import Disturbance
from bench.numbers import seconds
from bench.pacing import Plan, figures
from tests.bench.reference import undocumented_keys
from tests.bench.running import result_of, run

_SHORT = ("--quota", "12000", "--seconds", "4", "--ramp", "0", "--devices", "1000")


def test_the_gateway_counts_what_was_used_of_the_quota() -> None:
    further = ("--workers", "2", "--wipe-redis", "--stop-redis", "1")

    found = result_of(run("bench.pacing", *_SHORT, *further, "--json"))

    assert 0.2 < found["quota_share"] < 2.0, found
    assert found["accepted"] + found["throttled"] == found["requests"] > 0, found
    assert (found["workers"], found["lost"], found["duplicates"]) == (2, 0, 0), found
    assert found["conditions"]["redis_stopped_seconds"] == 1.0
    assert undocumented_keys("pacing", found) == []


def test_only_the_measured_seconds_count() -> None:
    found = {(9, 200): 500, (10, 200): 90, (10, 429): 10, (11, 200): 110, (12, 429): 5}
    plan = Plan(6_000, 2, 0.0, 1, 1, Disturbance())

    counted = figures(found, 10, plan)

    assert (counted["quota_share"], counted["share_429"]) == (1.0, round(10 / 210, 6))
    assert (counted["least_in_a_second"], counted["most_in_a_second"]) == (90, 110)
    assert counted["throttled_in_all"] == 15


def test_campaigns_outlast_ramp_and_measurement_at_the_full_quota() -> None:
    plan = Plan(300_000, 120, 60.0, 50_000, 1, Disturbance())

    assert plan.messages() * plan.devices >= 300_000 * 3


def test_redis_is_wiped_stopped_and_comes_back_empty(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with embedded_pair(EmbeddedOptions(tmp_path / "state", durable=False, fresh=True)) as pair:
        former = pair.valkey.pid
        with redis.Redis.from_url(pair.redis_url) as client:
            client.set("kept", "no")

            Disturbance(wipe=True).begin(pair, 0.0).join()
            after_wipe = client.dbsize()
            client.set("kept", "no")
            Disturbance(stop_seconds=0.1).begin(pair, 0.0).join()

        with redis.Redis.from_url(pair.redis_url) as client:
            assert (after_wipe, client.dbsize()) == (0, 0)
        assert pair.valkey.pid != former


@pytest.mark.parametrize("text", ["-1", "nan", "x"])
def test_seconds_are_a_number_from_0_up(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no number of seconds"):
        seconds(text)
