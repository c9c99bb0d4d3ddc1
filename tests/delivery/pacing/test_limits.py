"""Which limits a window is under."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from delivery.pacing.limits import QUOTA_SHARE, Limits, Paced, PacingRules
from delivery.pacing.ramp import Ramp

FCM = Paced(
    app_id=1,
    message_id=2,
    credential_id=3,
    provider="fcm",
    project_id="shop",
    is_transactional=False,
    rate_per_second=None,
    quota_per_minute=None,
    learned_share=None,
    learned_seconds=0.0,
)
APNS = replace(FCM, provider="apns", project_id=None)
RULES = PacingRules(600_000, 0.1)


def limits(engine: Engine, ramp_seconds: float = 0.0) -> Limits:
    return Limits(RULES, Ramp(engine, ramp_seconds))


def test_a_project_without_a_quota_of_its_own_has_that_of_the_settings(engine: Engine) -> None:
    (found,) = limits(engine).of(FCM)

    assert found.per_second == pytest.approx(10_000 * QUOTA_SHARE)
    assert found.reserved_per_second == 0.0


def test_a_quota_of_its_own_goes_before_that_of_the_settings(engine: Engine) -> None:
    (found,) = limits(engine).of(replace(FCM, quota_per_minute=6_000))

    assert found.per_second == pytest.approx(100 * QUOTA_SHARE)


def test_apns_has_a_quota_only_when_one_is_set(engine: Engine) -> None:
    (found,) = limits(engine).of(replace(APNS, quota_per_minute=60))

    assert limits(engine).of(APNS) == []
    assert found.per_second == pytest.approx(QUOTA_SHARE)


def test_keys_of_a_project_share_its_quota_and_apps_do_not(engine: Engine) -> None:
    made = limits(engine)

    def scope(paced: Paced) -> str:
        return made.of(replace(paced, quota_per_minute=60))[0].scope

    assert scope(FCM) == scope(replace(FCM, credential_id=9, message_id=9))
    others = [
        replace(FCM, app_id=9),
        replace(FCM, project_id="news"),
        APNS,
        replace(APNS, credential_id=9),
    ]
    assert len({scope(paced) for paced in [FCM, *others]}) == 5


def test_the_rate_of_a_message_is_a_limit_of_its_own(engine: Engine) -> None:
    quota, own = limits(engine).of(replace(FCM, rate_per_second=12.5))
    (alone,) = limits(engine).of(replace(APNS, rate_per_second=12.5))

    assert own == alone
    assert (own.per_second, own.reserved_per_second) == (12.5, 0.0)
    assert quota.scope != own.scope


def test_transactional_messages_have_a_share_of_their_own(engine: Engine) -> None:
    (found,) = limits(engine).of(replace(FCM, is_transactional=True))

    assert found.reserved_per_second == pytest.approx(found.per_second * 0.1)


def test_a_message_that_is_slow_beside_its_quota_waits_for_no_other(engine: Engine) -> None:
    made = limits(engine)

    slow, _ = made.of(replace(FCM, rate_per_second=900.0))
    fast, _ = made.of(replace(FCM, rate_per_second=1_100.0))
    (code,) = made.of(replace(FCM, is_transactional=True))
    (free,) = made.of(FCM)

    assert slow.reserved_per_second == pytest.approx(slow.per_second / 4)
    assert (fast.reserved_per_second, free.reserved_per_second) == (0.0, 0.0)
    # What it takes is nothing that transactional messages may have wanted.
    assert slow.share != code.share


def test_what_refusals_taught_is_a_share_of_the_quota_alone(engine: Engine) -> None:
    taught = replace(FCM, learned_share=0.5, learned_seconds=-30.0, rate_per_second=5.0)

    quota, own = limits(engine).of(taught)

    assert quota.per_second == pytest.approx(5_000 * QUOTA_SHARE)
    assert own.per_second == 5.0


def test_on_the_ramp_nothing_is_caught_up_on(fresh_engine: Engine) -> None:
    made = limits(fresh_engine, 60.0)

    (climbing,) = made.of(replace(FCM, is_transactional=True))
    (flat,) = limits(fresh_engine).of(FCM)

    assert climbing.burst_seconds == 0.0
    assert flat.burst_seconds > 0
    assert climbing.per_second == pytest.approx(flat.per_second / 60)
    assert climbing.reserved_per_second == pytest.approx(climbing.per_second * 0.1)


def test_a_minute_with_all_that_may_be_caught_up_on_stays_within_the_quota(engine: Engine) -> None:
    (found,) = limits(engine).of(FCM)

    assert found.per_second * (60 + found.burst_seconds) <= RULES.fcm_quota_per_minute
