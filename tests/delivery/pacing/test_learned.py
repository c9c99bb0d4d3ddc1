"""What a gateway's refusals teach: all keys of a project of an app stop, and then go slower."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import driver_connection
from delivery.chunks.chunk import CredentialVerdict, Retried, Step
from delivery.engine.repository import read_control
from delivery.pacing.learned import DECREASE, INCREASE_PER_MINUTE, LEAST_SHARE, share_now
from tests.delivery.conftest import Held

# A second key of the same project, one of another, a key of APNs, and the project of another app.
_KEYS = """
UPDATE credential SET project_id = 'shop';
INSERT INTO app (public_id, name, identity_secret) VALUES ('app_2', 'other', '\\x00');
INSERT INTO credential (app_id, public_id, provider, kind, name, sealed, project_id)
SELECT a.id, v.id, v.provider, v.kind, v.id, '\\x00', v.project
FROM app a JOIN (VALUES
    ('app_1', 'second', 'fcm', 'service_account', 'shop'),
    ('app_1', 'elsewhere', 'fcm', 'service_account', 'news'),
    ('app_1', 'apple', 'apns', 'token', NULL),
    ('app_2', 'theirs', 'fcm', 'service_account', 'shop')) AS v(app, id, provider, kind, project)
    ON v.app = a.public_id
"""


@pytest.fixture
def keys(held: Held) -> Held:
    held.change(_KEYS)
    return held


def refuse(held: Held, *, cursor: int, seconds: float = 60.0, slow_down: bool = True) -> None:
    verdict = CredentialVerdict("quota_exceeded", "", seconds, slow_down)
    retried = [Retried(cursor, seconds, "quota_exceeded", 2)]
    step = Step(cursor + 1, (), retried=retried, credential=verdict)
    assert held.record(step, cursor)


def frozen(held: Held) -> dict[str, Any]:
    found = held.read(
        "SELECT public_id, extract(epoch FROM frozen_until - clock_timestamp())::float8, "
        "learned_share FROM credential"
    )
    return {name: (seconds, share) for name, seconds, share in found if seconds is not None}


def used_share(held: Held) -> float:
    with driver_connection(held.database) as connection:
        control = read_control(connection, held.lease)
    return share_now(control.learned_share, control.learned_seconds)


def age(held: Held, seconds: float) -> None:
    held.change(
        f"UPDATE credential SET frozen_until = frozen_until - interval '{seconds} seconds', "
        f"learned_at = learned_at - interval '{seconds} seconds'"
    )


def test_a_refusal_stops_every_key_of_the_project_and_no_other(keys: Held) -> None:
    refuse(keys, cursor=0, seconds=30.0)

    found = frozen(keys)
    assert found.keys() == {"cred_1", "second"}
    assert all(29 < seconds <= 30 for seconds, _ in found.values())
    assert {share for _, share in found.values()} == {DECREASE}


def test_only_the_first_refusal_of_a_freeze_lowers_the_share(keys: Held) -> None:
    refuse(keys, cursor=0, seconds=30.0)
    refuse(keys, cursor=1, seconds=60.0)
    refuse(keys, cursor=2, seconds=10.0)

    (seconds, share) = frozen(keys)["cred_1"]
    # The longest wish counts.
    assert 59 < seconds <= 60
    assert share == DECREASE


def test_each_freeze_lowers_it_further_and_it_never_reaches_zero(keys: Held) -> None:
    shares = []
    for cursor in range(4):
        if cursor == 3:
            keys.change(f"UPDATE credential SET learned_share = {LEAST_SHARE}")
        refuse(keys, cursor=cursor, seconds=1.0)
        shares.append(frozen(keys)["cred_1"][1])
        age(keys, 1.0)

    assert shares == pytest.approx([DECREASE**n for n in range(1, 4)] + [LEAST_SHARE], rel=1e-2)


def test_it_recovers_by_time_that_begins_after_the_freeze(keys: Held) -> None:
    refuse(keys, cursor=0, seconds=60.0)
    at_once = used_share(keys)
    age(keys, 60.0)
    after_the_freeze = used_share(keys)
    age(keys, 120.0)
    two_minutes_later = used_share(keys)
    age(keys, 3600.0)

    assert at_once == DECREASE
    assert after_the_freeze == pytest.approx(DECREASE, abs=1e-3)
    assert two_minutes_later == pytest.approx(DECREASE + 2 * INCREASE_PER_MINUTE, abs=1e-3)
    assert used_share(keys) == 1.0


def test_a_refusal_lowers_what_has_recovered_meanwhile(keys: Held) -> None:
    refuse(keys, cursor=0, seconds=60.0)
    age(keys, 180.0)

    refuse(keys, cursor=1, seconds=60.0)

    expected = (DECREASE + 2 * INCREASE_PER_MINUTE) * DECREASE
    assert frozen(keys)["cred_1"][1] == pytest.approx(expected, abs=1e-3)


def test_a_wish_for_later_is_none_for_less(keys: Held) -> None:
    refuse(keys, cursor=0, seconds=30.0, slow_down=False)

    assert frozen(keys)["cred_1"][1] is None
    assert used_share(keys) == 1.0


def test_a_wish_for_later_undoes_no_recovery(keys: Held) -> None:
    refuse(keys, cursor=0, seconds=60.0)
    age(keys, 180.0)
    recovered = used_share(keys)

    refuse(keys, cursor=1, seconds=30.0, slow_down=False)

    assert recovered == pytest.approx(DECREASE + 2 * INCREASE_PER_MINUTE, abs=1e-3)
    assert used_share(keys) == pytest.approx(recovered, abs=1e-3)
    age(keys, 90.0)
    assert used_share(keys) == pytest.approx(recovered + INCREASE_PER_MINUTE, abs=1e-3)


@given(st.floats(LEAST_SHARE, 1), st.floats(-600, 6_000), st.floats(0, 600))
def test_the_share_only_grows_and_never_beyond_the_quota(
    learned: float, since: float, later: float
) -> None:
    assert learned <= share_now(learned, since) <= share_now(learned, since + later) <= 1.0


def test_nothing_learned_is_the_whole_quota() -> None:
    assert share_now(None, 0.0) == share_now(None, -60.0) == 1.0
