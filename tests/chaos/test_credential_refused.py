"""A gateway refuses a credential: it pauses with words, the others go on, and it can be mended."""

from typing import Any

import pytest

from tests.chaos.stage import Stage
from tests.deadlines import wait_until
from tests.fixtures.sandbox import PROJECT, TOPIC

_DEVICES = 90
_IPHONES = 30


def credential(stage: Stage, name: str) -> dict[str, Any]:
    """Return one credential as the API shows it."""
    scene = stage.scene
    answer = scene.http.get(f"/v1/apps/{scene.app_id}/credentials")
    found: dict[str, Any] = next(one for one in answer.json()["data"] if one["name"] == name)
    return found


def resume(stage: Stage, name: str) -> None:
    """Let a credential go on."""
    path = f"/v1/apps/{stage.scene.app_id}/credentials/{credential(stage, name)['id']}/resume"
    assert stage.scene.post(path, {})["state"] == "active"


def wait_others(stage: Stage, message_id: str, accepted: int) -> dict[str, Any]:
    """Wait until one credential is paused and the others' pushes are accepted."""

    def is_so() -> bool:
        message = stage.scene.read(message_id)
        waiting = sum(one["recipients"] for one in message["waiting"])
        return (message["counts"]["accepted"], waiting) == (accepted, _DEVICES - accepted)

    wait_until(is_so, 30, "one credential waits, the other has sent")
    (waiting,) = stage.scene.read(message_id)["waiting"]
    found: dict[str, Any] = waiting
    return found


def test_a_signing_key_that_apple_does_not_know(stage: Stage) -> None:
    sandbox = stage.scene.sandbox
    sandbox.control.revoke(sandbox.key.key_id)
    stage.add_devices(_DEVICES)
    stage.crew.start()

    message_id = stage.send()
    waiting = wait_others(stage, message_id, _DEVICES - _IPHONES)
    paused, other = credential(stage, TOPIC), credential(stage, PROJECT)
    sandbox.control.register_apns_key(sandbox.key, TOPIC)
    resume(stage, TOPIC)
    books = stage.wait_end(message_id)

    assert waiting["reason"] == "invalid_provider_token"
    assert "check key id, team id and .p8 file" in waiting["words"]
    assert (paused["state"], other["state"]) == ("paused", "active")
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0


@pytest.mark.parametrize("knows_a_token", [False, True])
def test_a_service_account_that_google_has_revoked(stage: Stage, *, knows_a_token: bool) -> None:
    sandbox = stage.scene.sandbox
    stage.add_devices(_DEVICES)
    stage.crew.start()
    if knows_a_token:
        stage.wait_end(stage.send())
        sandbox.control.reset()
    sandbox.control.revoke(sandbox.account["private_key_id"])
    sandbox.control.revoke_access_tokens()

    message_id = stage.send()
    waiting = wait_others(stage, message_id, _IPHONES)
    paused, other = credential(stage, PROJECT), credential(stage, TOPIC)
    sandbox.control.register(sandbox.account_half)
    resume(stage, PROJECT)
    books = stage.wait_end(message_id)

    assert waiting["reason"] == "oauth_invalid_grant"
    assert "Google refuses the service account" in waiting["words"]
    assert (paused["state"], other["state"]) == ("paused", "active")
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0
