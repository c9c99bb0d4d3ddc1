"""A credential is deleted while recipients wait for it: another takes over, or they end."""

from typing import Any

import pytest
from sqlalchemy import text

from delivery.chunks.sweep_repository import end_idle, hand_over
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.e2e.scene import Scene, add_credentials


def send_and_delete(scene: Scene, *, policy: str = "at_most_once") -> str:
    """Cut a message for an Android and an iPhone, and delete the Android's credential."""
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_iphone("ada", apns_token("accepted", 2))
    body = {"to": {"people": ["ada"]}, "content": {"title": "Hello"}, "policy": policy}
    message_id = str(scene.post("/v1/messages", body)["id"])
    scene.duties.cut_due()
    found: list[dict[str, Any]] = scene.http.get(path(scene)).json()["data"]
    (fcm,) = [one["id"] for one in found if one["provider"] == "fcm"]
    scene.http.delete(f"{path(scene)}/{fcm}").raise_for_status()
    return message_id


def path(scene: Scene) -> str:
    return f"/v1/apps/{scene.app_id}/credentials"


def test_who_waits_for_it_ends_and_the_trace_says_why(scene: Scene) -> None:
    message_id = send_and_delete(scene)

    scene.work()
    message = scene.assert_adds_up(message_id)
    found = scene.http.get("/v1/deliveries", params={"message": message_id}).json()["data"]
    (ended,) = [one for one in found if one["state"] == "suppressed"]
    trace = scene.http.get(f"/v1/deliveries/{ended['id']}/trace").json()

    assert message["state"] == "finished"
    assert message["counts"]["accepted"] == 1
    assert message["reasons"]["suppressed"] == {"credential_retired": 1}
    assert "was deleted before its turn came" in str(trace)


def test_a_credential_for_the_same_gateway_takes_over(scene: Scene) -> None:
    message_id = send_and_delete(scene)
    add_credentials(scene, scene.app_id)

    scene.duties.sweep()
    scene.work()

    assert scene.assert_adds_up(message_id)["counts"]["accepted"] == 2
    assert len(list(scene.sandbox.control.accepted())) == 2


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_whom_a_worker_lost_is_not_called_unsent(hasty: Scene, policy: str) -> None:
    scene, message_id = hasty, send_and_delete(hasty, policy=policy)
    scene.run_sql(
        "UPDATE chunk SET intended = 1, open = '{0}', lease_until = now() - interval '1 hour', "
        "lease_owner = 'lost' WHERE credential_id IN "
        "(SELECT id FROM credential WHERE state = 'retired')"
    )
    scene.run_sql("UPDATE chunk SET lease_until = '-infinity' WHERE lease_until IS NOT NULL")

    scene.work_until(lambda: scene.read(message_id)["state"] == "finished")

    reasons = scene.assert_adds_up(message_id)["reasons"]
    reason = "worker_lost" if policy == "at_most_once" else "unconfirmed"
    assert reasons["unknown"] == {reason: 1}
    assert "suppressed" not in reasons


def test_one_that_reaches_others_takes_nothing_over(scene: Scene) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    scene.add_iphone(None, apns_token("accepted", 2))
    body = {"to": {"all": True}, "content": {"title": "Hello"}}
    message_id = str(scene.post("/v1/messages", body)["id"])
    scene.duties.cut_due()
    for one in scene.http.get(path(scene)).json()["data"]:
        scene.http.delete(f"{path(scene)}/{one['id']}").raise_for_status()
    add_credentials(scene, scene.app_id)
    # As if these were for another project, and for development.
    scene.run_sql(
        "UPDATE credential SET project_id = CASE provider WHEN 'fcm' THEN 'another' END, "
        "environment = CASE provider WHEN 'apns' THEN 'development' END WHERE state = 'active'"
    )

    scene.work()

    message = scene.assert_adds_up(message_id)
    assert message["state"] == "finished"
    assert message["reasons"]["suppressed"] == {"credential_retired": 2}
    assert list(scene.sandbox.control.accepted()) == []


def test_chunks_are_handed_over_some_at_a_time_and_none_ends_meanwhile(scene: Scene) -> None:
    message_id = send_and_delete(scene)
    add_credentials(scene, scene.app_id)
    seconds = scene.settings.lease_seconds
    with scene.database.begin() as busy, scene.database.begin() as sweeping:
        # Somebody works on a row of the chunk: it is passed by, and neither waited for nor ended.
        busy.execute(text("SELECT FROM chunk FOR UPDATE"))
        assert hand_over(sweeping, lease_seconds=seconds) == 0
        assert end_idle(sweeping, lease_seconds=seconds) == (0, 0)
    with scene.database.begin() as sweeping:
        assert hand_over(sweeping, lease_seconds=seconds, limit=0) == 0
        assert end_idle(sweeping, lease_seconds=seconds) == (0, 0)

    scene.duties.sweep()
    scene.work()

    assert scene.assert_adds_up(message_id)["counts"]["accepted"] == 2


def test_who_waits_for_a_credential_that_is_gone_ends(scene: Scene) -> None:
    message_id = send_and_delete(scene)
    scene.run_sql("DELETE FROM credential_event")
    scene.run_sql("DELETE FROM credential WHERE state = 'retired'")

    scene.work()

    message = scene.assert_adds_up(message_id)
    assert message["state"] == "finished"
    assert message["reasons"]["suppressed"] == {"credential_retired": 1}
