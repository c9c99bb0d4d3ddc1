"""The fleet guard within one worker: without Redis, and for whom it is not meant."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from api.worker import Runner, build_engine
from delivery.sandbox.tokens import apns_token
from tests.deadlines import wait_until
from tests.e2e.scene import Scene

_FLEET = 300
NOBODY = SecretStr("redis://127.0.0.1:1/0")


def send_to_fleet(scene: Scene, bad: int, outcome: str = "bad_device_token") -> str:
    """Send to a fleet whose first devices have such tokens."""
    common = {"provider": "apns", "kind": "alert", "platform": "ios", "environment": "production"}
    devices: list[dict[str, Any]] = [
        {
            **common,
            "installation_id": f"phone-{number:06}",
            "permission": "granted",
            "token": apns_token(outcome if number < bad else "accepted", number),
        }
        for number in range(_FLEET)
    ]
    scene.post("/v1/devices/batch", {"devices": devices})
    body = {"to": {"all": True}, "lane": "campaign", "content": {"title": "Hello"}}
    return str(scene.post("/v1/messages", body)["id"])


def state(scene: Scene) -> str:
    return str(scene.scalar("SELECT state FROM credential WHERE provider = 'apns'"))


def test_it_counts_without_redis(scene: Scene) -> None:
    settings = scene.settings.model_copy(update={"redis_url": NOBODY})
    message_id = send_to_fleet(scene, _FLEET)

    replace(scene, settings=settings).work("campaign")

    message = scene.assert_adds_up(message_id)
    assert state(scene) == "paused"
    assert message["counts"]["rejected"] == 200
    assert message["open"] == _FLEET - 200
    assert scene.scalar("SELECT count(*) FROM target WHERE state <> 'active'") == 0


@pytest.mark.parametrize(
    ("bad", "outcome", "states"),
    [
        # Few wrong tokens among many good ones, though they come first.
        (49, "bad_device_token", {"active": _FLEET - 49, "suspect": 49}),
        # What has ended is believed, however many there are.
        (_FLEET, "gone", {"retired": _FLEET}),
    ],
)
def test_it_leaves_alone_what_is_not_the_credentials_fault(
    scene: Scene, bad: int, outcome: str, states: dict[str, int]
) -> None:
    message_id = send_to_fleet(scene, bad, outcome)

    scene.work("campaign")

    message = scene.assert_adds_up(message_id)
    assert (state(scene), message["open"]) == ("active", 0)
    found = (
        "SELECT jsonb_object_agg(state, n) FROM "
        "(SELECT state, count(*) AS n FROM target GROUP BY 1) s"
    )
    assert scene.scalar(found) == states


def test_a_suspect_is_retired_once_others_got_through(scene: Scene) -> None:
    send_to_fleet(scene, 10)
    scene.work("campaign")
    before = scene.http.get("/v1/devices/hygiene").json()
    scene.run_sql("UPDATE target SET updated_at = updated_at - interval '2 minutes'")
    scene.run_sql("UPDATE token_answer SET at = at - interval '2 minutes'")

    scene.duties.guard_tokens()

    after = scene.http.get("/v1/devices/hygiene").json()
    assert before["tokens"] == {"active": _FLEET - 10, "suspect": 10, "retired": 0}
    assert after["tokens"] == {"active": _FLEET - 10, "suspect": 0, "retired": 10}
    assert [(one["reason"], one["tokens"]) for one in after["dead"]] == [("bad_device_token", 10)]


def test_a_worker_that_ends_has_told_all_that_came_after_the_first_refusal(scene: Scene) -> None:
    send_to_fleet(scene, 1)

    scene.work("campaign")

    assert told(scene) == f"{_FLEET} and 1"


def test_a_worker_that_idles_tells_it_too(scene: Scene) -> None:
    send_to_fleet(scene, 1)
    scene.duties.cut_due()
    engine = build_engine(scene.settings, scene.database, "campaign")

    def looks_again() -> bool:
        engine.run(lambda: False)
        return told(scene) == f"{_FLEET} and 1"

    wait_until(looks_again, 10, "the others know")
    engine.close()


def test_a_worker_that_is_stopped_tells_it_at_the_end(scene: Scene) -> None:
    message_id = send_to_fleet(scene, 1)
    scene.duties.cut_due()
    engine = build_engine(scene.settings, scene.database, "campaign")
    runner = Runner(engine.run, engine.wake, engine.leave)

    runner.start()
    wait_until(lambda: scene.read(message_id)["finished_at"] is not None, 30, "it is sent")
    runner.stop()
    runner.join(30)

    wait_until(lambda: told(scene) == f"{_FLEET} and 1", 10, "the others know")
    engine.close()


def told(scene: Scene) -> str:
    """Return how many answers the workers have told of, and how many refusals."""
    return str(scene.scalar("SELECT sum(answers) || ' and ' || sum(refused) FROM token_answer"))


def test_a_trusted_gateway_makes_each_token_suspect_by_itself(scene: Scene) -> None:
    message_id = send_to_fleet(scene, _FLEET)
    scene.work("campaign")
    credential_id = scene.scalar("SELECT public_id FROM credential WHERE provider = 'apns'")
    path = f"/v1/apps/{scene.app_id}/credentials/{credential_id}/resume"
    scene.post(path, {"trust_refusals": True})

    scene.work("campaign")

    message = scene.assert_adds_up(message_id)
    assert (state(scene), message["open"]) == ("active", 0)
    assert message["counts"]["rejected"] == _FLEET
    assert scene.scalar("SELECT count(*) FROM target WHERE state = 'suspect'") == _FLEET - 200
