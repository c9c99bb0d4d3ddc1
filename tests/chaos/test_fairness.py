"""Slow, big, foreign and transactional messages side by side, through one set of workers."""

import statistics
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import text

from core.ids import delivery_id
from delivery.sandbox.credentials import make_service_account
from delivery.sandbox.tokens import fcm_token
from tests.chaos.stage import Stage
from tests.deadlines import note, wait_until, within

# As shipped, but for the lease.
_WIDE = {"in_doubt_limit": 2_000, "window_size": 500, "lease_seconds": 20}
_OWN_QUOTA, _OTHER_QUOTA, _SLOW, _CRAWLING = 300, 200, 10, 0.1
_PHONES, _OTHERS = 3_000, 2_000
# Three quarters of what leaves in that time and before are fewer than the phones.
_SHARED_QUOTA, _SHARED_SECONDS = 250, 10


def add_other_app(stage: Stage) -> dict[str, str]:
    """Add an app with a project and phones of its own; return the headers that name it."""
    scene = stage.scene
    app_id = str(scene.post("/v1/apps", {"name": "Other"})["id"])
    account = make_service_account("carillon-other", scene.sandbox.address.token_uri)
    scene.sandbox.control.register_service_account(account)
    scene.post(
        f"/v1/apps/{app_id}/credentials",
        {"kind": "service_account", "name": "other", "service_account": account},
    )
    headers = {"Carillon-App": app_id}
    common = {"provider": "fcm", "kind": "token", "platform": "android", "permission": "granted"}
    for start in range(0, _OTHERS, 1_000):
        devices = [
            {
                **common,
                "installation_id": f"other-{serial:06}",
                "token": fcm_token("accepted", 500_000 + serial),
            }
            for serial in range(start, start + 1_000)
        ]
        scene.post("/v1/devices/batch", {"devices": devices}, **headers)
    return headers


def send(stage: Stage, headers: Mapping[str, str], **fields: Any) -> str:
    body = {"to": {"all": True}, "lane": "campaign", "content": {"title": "Hello"}, **fields}
    return str(stage.scene.post("/v1/messages", body, **headers)["id"])


def names_of(stage: Stage, messages: Mapping[str, str]) -> dict[str, str]:
    """Return to which message each push belongs, by its name on the wire."""
    with stage.scene.database.connect() as connection:
        devices = connection.scalars(text("SELECT id FROM device")).all()
    return {delivery_id(one, device): name for name, one in messages.items() for device in devices}


def seen(stage: Stage, names: Mapping[str, str]) -> Counter[str]:
    """Return how many pushes of each message the gateways have accepted."""
    return Counter(names.get(one, "") for _, one in stage.scene.sandbox.control.accepted())


def transact(stage: Stage, device: str) -> float:
    """Send one push to one device; return the seconds until the gateway has it."""
    started, before = time.monotonic(), {"to": {"devices": [device]}, "content": {"title": "Code"}}
    message_id = stage.scene.post("/v1/messages", before)["id"]
    wait_until(lambda: stage.scene.read(message_id)["counts"]["accepted"] == 1, 30, "it arrives")
    return time.monotonic() - started


def transact_for(seconds: float, stage: Stage, device: str) -> list[float]:
    """Send one push after another; return how long each took."""
    until, latencies = time.monotonic() + seconds, []
    while time.monotonic() < until:
        latencies.append(transact(stage, device))
        time.sleep(0.1)
    return latencies


@pytest.mark.parametrize("stage", [_WIDE], indirect=True)
def test_each_gets_its_share_and_none_parks_a_worker(stage: Stage) -> None:
    stage.add_phones(_PHONES)
    other = add_other_app(stage)
    stage.scene.run_sql(
        "UPDATE credential SET quota_per_minute = 60 * CASE WHEN name = 'other' "
        f"THEN {_OTHER_QUOTA} ELSE {_OWN_QUOTA} END"
    )
    device = stage.devices(1)[0]
    crawling = [stage.send(rate_per_second=_CRAWLING) for _ in range(12)]
    stage.crew.start()
    stage.crew.worker("transactional")
    stage.wait_accepted(len(crawling))

    messages = {
        "slow": stage.send(rate_per_second=_SLOW),
        "big": stage.send(),
        "other": send(stage, other),
    }
    names = names_of(stage, messages)
    wait_until(lambda: len(seen(stage, names).keys() - {""}) == 3, 30, "each has begun")
    time.sleep(1)
    first, began = seen(stage, names), time.monotonic()
    latencies = transact_for(5, stage, device)
    second, seconds = seen(stage, names), time.monotonic() - began

    rates = {name: (second[name] - first[name]) / seconds for name in messages}
    note(f"{rates} for {seconds:.1f} s")
    note(f"transactional: {statistics.median(latencies):.3f} s, at most {max(latencies):.3f} s")
    # A window of a quarter of a second may be missing at either end.
    assert rates["slow"] == pytest.approx(_SLOW, rel=0.2)
    own = _OWN_QUOTA - _SLOW - len(crawling) * _CRAWLING - len(latencies) / seconds
    assert 0.8 * own <= rates["big"] <= 1.1 * _OWN_QUOTA
    assert 0.8 * _OTHER_QUOTA <= rates["other"] <= 1.1 * _OTHER_QUOTA
    assert statistics.median(latencies) < within(1.0)
    assert max(latencies) < within(3.0)
    # Crawling ones crawl on beside them.
    for message_id in crawling:
        assert 1 <= stage.scene.read(message_id)["counts"]["accepted"] <= 1 + 0.1 * 60


@pytest.mark.parametrize("stage", [_WIDE], indirect=True)
def test_messages_of_one_quota_share_it_by_weight(stage: Stage) -> None:
    stage.add_phones(_PHONES)
    stage.scene.run_sql(f"UPDATE credential SET quota_per_minute = 60 * {_SHARED_QUOTA}")
    stage.crew.start()

    light, heavy = stage.send(), stage.send(weight=3)
    names = names_of(stage, {"light": light, "heavy": heavy})
    wait_until(lambda: len(seen(stage, names)) == 2, 30, "both have begun")
    time.sleep(1)
    first = seen(stage, names)
    # Permits are taken by windows of a quarter of a second: so many that two more or less on
    # either side do not matter.
    time.sleep(_SHARED_SECONDS)
    second = seen(stage, names)

    got = {name: second[name] - first[name] for name in ("light", "heavy")}
    note(f"{got}")
    assert sum(got.values()) >= 0.8 * _SHARED_SECONDS * _SHARED_QUOTA
    # 2.6 when nothing else runs. On busy cores the heavier one asks late at times, and the lighter
    # one takes what would be lost: 1.7 was seen. Without weights it would be 1.
    assert 1.4 <= got["heavy"] / got["light"] <= 4.5


@pytest.mark.parametrize("stage", [_WIDE], indirect=True)
def test_a_new_rate_acts_within_a_second_however_slow_the_old_one_was(stage: Stage) -> None:
    stage.add_phones(600)
    stage.crew.start()
    message_id = stage.send(rate_per_second=0.1)
    stage.wait_accepted(1)
    # It has asked for the next permit by then, and gone back to wait for it.
    wait_until(
        lambda: stage.scene.scalar("SELECT bool_and(lease_until IS NULL) FROM chunk"),
        10,
        "it waits",
    )

    answer = stage.scene.http.patch(f"/v1/messages/{message_id}", json={"rate_per_second": 1_000})
    changed_at = time.monotonic()
    began = wait_until(lambda: stage.accepted() > 1, 10, "the new rate acts")
    stage.wait_accepted(600)

    took = time.monotonic() - changed_at
    note(f"the new rate acted after {began:.2f} s; all were out after {took:.2f} s")
    assert answer.status_code == 200
    assert began < within(1.0)
