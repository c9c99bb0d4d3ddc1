"""A gateway refuses the tokens of a whole fleet: the credential pauses, and no token is harmed."""

from typing import Any

import pytest

from delivery.sandbox.tokens import apns_token
from tests.chaos.stage import Stage
from tests.chaos.test_credential_refused import credential
from tests.deadlines import note, wait_until
from tests.fixtures.sandbox import TOPIC

_FLEET = 1_500
# As installations have them, but for the time that the guard looks back.
_USUAL = {"in_doubt_limit": 2_000, "window_size": 500, "lease_seconds": 60, "guard_seconds": 6}
_STATES = (
    "SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM target GROUP BY 1) s"
)


def add_iphones(stage: Stage, count: int, outcome: str = "accepted", start: int = 0) -> None:
    common = {"provider": "apns", "kind": "alert", "platform": "ios", "environment": "production"}
    devices = [
        {
            **common,
            "installation_id": f"phone-{number:06}",
            "permission": "granted",
            "token": apns_token(outcome, number),
        }
        for number in range(start, start + count)
    ]
    for first in range(0, count, 1_000):
        stage.scene.post("/v1/devices/batch", {"devices": devices[first : first + 1_000]})


def states(stage: Stage) -> dict[str, int]:
    found: dict[str, int] = stage.scene.scalar(_STATES)
    return found


def wait_paused(stage: Stage) -> dict[str, Any]:
    wait_until(lambda: credential(stage, TOPIC)["state"] == "paused", 30, "the credential pauses")
    return credential(stage, TOPIC)


def answered(stage: Stage) -> int:
    return stage.scene.sandbox.control.answers().get(("apns", 400, "BadDeviceToken"), 0)


def resume(stage: Stage, **body: Any) -> dict[str, Any]:
    path = f"/v1/apps/{stage.scene.app_id}/credentials/{credential(stage, TOPIC)['id']}/resume"
    return stage.scene.post(path, body)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("stage", [_USUAL], indirect=True)
def test_a_wrong_host_pauses_the_credential_and_costs_no_token(stage: Stage, workers: int) -> None:
    control = stage.scene.sandbox.control
    add_iphones(stage, _FLEET)
    control.profile(forced=[{"provider": "apns", "outcome": "bad_device_token"}])
    stage.crew.start()
    for _ in range(workers - 1):
        stage.crew.worker()

    message_id = stage.send()
    paused = wait_paused(stage)
    wait_until(
        lambda: stage.scene.read(message_id)["open"] + answered(stage) == _FLEET,
        30,
        "what was on its way has ended",
    )
    seen = answered(stage)
    note(f"{workers} workers: paused after {seen} answers")
    wait_until(lambda: states(stage) == {"active": _FLEET}, 30, "no verdict is left")
    control.profile(forced=[])
    resumed = resume(stage)
    books = stage.wait_end(message_id)

    assert seen <= 400
    assert paused["reason"] == "fleet_guard"
    assert "bad_device_token" in paused["reason_text"]
    assert (resumed["state"], resumed["reason"]) == ("active", None)
    assert books.message["reasons"]["rejected"] == {"bad_device_token": seen}
    assert books.message["counts"]["accepted"] == _FLEET - seen
    assert books.duplicates == 0
    # Long enough for suspects to be believed, had there been any.
    gone = "SELECT count(*) FROM token_answer WHERE at < now() - interval '6 seconds'"
    wait_until(lambda: stage.scene.scalar(gone) == 0, 30, "all has been judged")
    assert states(stage) == {"active": _FLEET}
