"""Behaviours 33 and 34: what comes after a storm of 429, and how sending begins."""

import time

import pytest

from tests.chaos.stage import Stage
from tests.chaos.watching import watching
from tests.deadlines import note, wait_until

_QUOTA = 100  # a second
_WIDE = {"in_doubt_limit": 2_000, "window_size": 500, "lease_seconds": 20}


def set_quota(stage: Stage, per_second: int) -> None:
    stage.scene.run_sql(f"UPDATE credential SET quota_per_minute = {per_second * 60}")


@pytest.mark.parametrize("stage", [_WIDE], indirect=True)
def test_a_storm_of_429_leaves_no_wave_behind_and_starves_nothing_new(
    stage: Stage,
) -> None:
    control = stage.scene.sandbox.control
    stage.add_phones(500)
    set_quota(stage, _QUOTA)
    storm = [{"provider": "fcm", "outcome": "quota_exceeded"}]
    control.profile(forced=storm, retry_after_seconds=3)
    stage.crew.start()
    stage.crew.worker("transactional")

    with watching(stage.scene.sandbox) as watch:
        campaign = stage.send()
        wait_until(lambda: control.answers().get(("fcm", 429, "QUOTA_EXCEEDED"), 0) > 0, 30, "429")
        time.sleep(5)
        refused = control.answers()["fcm", 429, "QUOTA_EXCEEDED"]
        control.profile(forced=[])
        recovered_at = time.time()
        new = stage.scene.post(
            "/v1/messages", {"to": {"devices": stage.devices(5)}, "content": {"title": "New"}}
        )["id"]
        stage.wait_end(str(new), 20)
        new_after, left = time.time() - recovered_at, stage.scene.read(campaign)["open"]
        books = stage.wait_end(campaign, 90)

    note(f"{refused} refused, {new_after:.1f} s until the new is out, {left} old ones left then")
    wave = watch.most_within(1.0, recovered_at)
    note(f"at most {wave} within a second")
    # The storm was left alone: a window or two for each freeze, not everybody again and again.
    assert refused <= 400
    # The freeze of 3 s may have just begun, and its retries wait up to a fifth longer.
    assert new_after < 8
    assert left > 0
    # What was not used may be caught up on for a second, by each second's rate.
    assert wave <= 2.5 * _QUOTA
    assert books.message["counts"]["accepted"] == 500
    assert books.duplicates == 0


@pytest.mark.parametrize("stage", [{**_WIDE, "ramp_seconds": 8}], indirect=True)
def test_sending_begins_with_a_ramp(stage: Stage) -> None:
    quota, ramp = 600, 8
    stage.add_phones(3_000)
    set_quota(stage, quota)
    stage.crew.start()

    with watching(stage.scene.sandbox) as watch:
        books = stage.wait_end(stage.send(), 60)

    first = float(stage.scene.sandbox.control.stats()["first_arrival"])
    for at, count in watch.samples:
        second = max(0.0, at - first) + 0.1
        # The area under quota / ramp * t, where each second has what its end allows, and a window.
        allowed = quota / ramp * (second + 1) * (second + 2) / 2
        assert count <= min(allowed, quota * (second + 1)) + quota / 4, (second, count)
    took = float(stage.scene.sandbox.control.stats()["last_arrival"]) - first
    note(f"3,000 pushes took {took:.1f} s")
    # 2,400 within the ramp and the rest at the quota.
    assert took >= 7
    assert books.message["counts"]["accepted"] == 3_000
