"""A key is revoked mid-run: its credential pauses within seconds, and goes on by itself."""

import time

import pytest

from tests.chaos.stage import Stage
from tests.chaos.test_credential_refused import credential
from tests.chaos.test_fleet_guard import add_iphones, states
from tests.deadlines import note, wait_until
from tests.fixtures.sandbox import PROJECT, TOPIC

_DEVICES = 1_500
_USUAL = {"in_doubt_limit": 2_000, "window_size": 500, "lease_seconds": 60}
_REFUSED = {
    TOPIC: "Apple refuses the signing key (InvalidProviderToken): check key id",
    PROJECT: "Google refuses the service account",
}


def revoke(stage: Stage, name: str) -> None:
    sandbox = stage.scene.sandbox
    if name == TOPIC:
        sandbox.control.revoke(sandbox.key.key_id)
    else:
        sandbox.control.revoke(sandbox.account["private_key_id"])
        sandbox.control.revoke_access_tokens()


def give_back(stage: Stage, name: str) -> None:
    sandbox = stage.scene.sandbox
    if name == TOPIC:
        sandbox.control.register_apns_key(sandbox.key, TOPIC)
    else:
        sandbox.control.register(sandbox.account_half)


@pytest.mark.parametrize("name", [TOPIC, PROJECT])
@pytest.mark.parametrize("stage", [_USUAL], indirect=True)
def test_a_key_revoked_mid_run_pauses_and_resumes_by_itself(stage: Stage, name: str) -> None:
    scene = stage.scene
    if name == TOPIC:
        add_iphones(stage, _DEVICES)
    else:
        stage.add_phones(_DEVICES)
    stage.crew.start()
    scene.sandbox.control.profile(latency=20)

    message_id = stage.send(rate_per_second=1_000)
    stage.wait_accepted(300)
    revoke(stage, name)
    began = time.monotonic()
    wait_until(lambda: credential(stage, name)["state"] == "paused", 10, "it pauses")
    paused_after = time.monotonic() - began
    paused = credential(stage, name)
    path = f"/v1/apps/{scene.app_id}/credentials/{paused['id']}"
    refused = scene.http.post(f"{path}/resume", json={})
    still = credential(stage, name)["state"]
    give_back(stage, name)
    books = stage.wait_end(message_id)
    history = scene.http.get(f"{path}/history").json()["data"]
    note(f"{name}: paused after {paused_after:.2f} s")

    assert paused["probe_at"] is not None
    assert (refused.status_code, refused.json()["code"]) == (409, "credential_still_refused")
    assert _REFUSED[name] in refused.json()["detail"]
    assert still == "paused"
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0
    assert states(stage) == {"active": _DEVICES}
    assert [(one["kind"], one["actor"]) for one in history] == [("resumed", None), ("paused", None)]
    assert history[1]["words"] == paused["reason_text"]
