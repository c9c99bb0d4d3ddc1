"""A paused credential: the probe that lets it go on, and the door that resumes it."""

from typing import Any

import pytest

from api.probing import ProbeDuty, prober_of
from core.secrets import SecretBox
from delivery.sandbox.credentials import make_apns_key
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.e2e.scene import Scene
from tests.fixtures.sandbox import PROJECT, TOPIC

CONTENT = {"title": "Hello"}
# What the gateway says of the sender, forced on all: its outcome, and the reason of the pause.
APNS = (
    "invalid_provider_token",
    "bad_environment_key_in_token",
    "bad_environment_key_id_in_token",
    "topic_disallowed",
    "forbidden",
)
FCM = ("iam_permission_denied", "service_disabled", "project_not_found", "unauthenticated")


def credential(scene: Scene, name: str) -> dict[str, Any]:
    answer = scene.http.get(f"/v1/apps/{scene.app_id}/credentials")
    found: dict[str, Any] = next(one for one in answer.json()["data"] if one["name"] == name)
    return found


def path_of(scene: Scene, name: str) -> str:
    return f"/v1/apps/{scene.app_id}/credentials/{credential(scene, name)['id']}"


def probe(scene: Scene) -> None:
    """Let the scheduler's turn come, as if it were time for it."""
    scene.run_sql("UPDATE credential SET probe_at = now() WHERE probe_at IS NOT NULL")
    box = SecretBox(scene.settings.require_secret_keys())
    ProbeDuty(scene.database, box, prober_of(scene.settings), scene.duties.nudger).run()


def send(scene: Scene, name: str) -> str:
    if name == TOPIC:
        device = scene.add_iphone(None, apns_token("accepted", 1))
    else:
        device = scene.add_device(None, fcm_token("accepted", 1))
    return str(scene.post("/v1/messages", {"to": {"devices": [device]}, "content": CONTENT})["id"])


def force(scene: Scene, name: str, outcome: str | None) -> None:
    provider = "apns" if name == TOPIC else "fcm"
    forced = [{"provider": provider, "outcome": outcome}] if outcome else []
    scene.sandbox.control.profile(forced=forced)


@pytest.mark.parametrize(
    ("name", "outcome"), [*((TOPIC, one) for one in APNS), *((PROJECT, one) for one in FCM)]
)
def test_each_fault_pauses_stays_as_long_as_it_lasts_and_goes(
    scene: Scene, name: str, outcome: str
) -> None:
    force(scene, name, outcome)
    message_id = send(scene, name)

    scene.work()
    paused = credential(scene, name)
    probe(scene)
    refused = credential(scene, name)
    answer = scene.http.post(f"{path_of(scene, name)}/resume", json={})
    force(scene, name, None)
    probe(scene)
    active = credential(scene, name)
    scene.work()

    assert (paused["state"], refused["state"], active["state"]) == ("paused", "paused", "active")
    assert paused["reason"] == refused["reason"]
    assert outcome in paused["reason"] or paused["reason"] in outcome
    assert paused["reason_text"] == refused["reason_text"]
    assert (answer.status_code, answer.json()["code"]) == (409, "credential_still_refused")
    assert paused["reason_text"] in answer.json()["detail"]
    assert scene.assert_adds_up(message_id)["counts"]["accepted"] == 1
    # Whatever the probes were, nobody got one.
    assert len(list(scene.sandbox.control.accepted())) == 1


def test_the_sandbox_lets_in_whom_it_knows_and_the_door_resumes_at_once(scene: Scene) -> None:
    scene.run_sql("UPDATE credential SET state = 'paused', reason = 'forbidden', reason_text = 'x'")

    answers = [scene.post(f"{path_of(scene, name)}/resume", {}) for name in (TOPIC, PROJECT)]

    assert [one["state"] for one in answers] == ["active", "active"]
    stats = scene.sandbox.control.stats()
    assert (stats["accepted"], stats["validated"], stats["oauth_calls"]) == (0, 1, 1)


def test_a_key_that_is_not_the_gateways_stays_paused_unless_it_is_forced(scene: Scene) -> None:
    scene.sandbox.control.revoke(scene.sandbox.key.key_id)
    scene.run_sql("UPDATE credential SET state = 'paused', reason = 'x' WHERE provider = 'apns'")
    path = f"{path_of(scene, TOPIC)}/resume"

    refused = scene.http.post(path, json={"force": False})
    bare = scene.http.post(path)
    forced = scene.http.post(path, json={"force": True})
    scene.sandbox.control.register_apns_key(scene.sandbox.key, TOPIC)

    for answer in (refused, bare):
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Apple refuses the signing key" in answer.json()["detail"]
        assert '{"force": true}' in answer.json()["detail"]
    assert forced.json()["state"] == "active"


def test_what_was_resumed_too_early_pauses_again_and_loses_nobody(scene: Scene) -> None:
    force(scene, TOPIC, "forbidden")
    message_id = send(scene, TOPIC)
    scene.work()
    scene.post(f"{path_of(scene, TOPIC)}/resume", {"force": True})

    scene.work()

    again = credential(scene, TOPIC)
    message = scene.assert_adds_up(message_id)
    assert (again["state"], again["reason"]) == ("paused", "forbidden")
    assert (message["open"], message["waiting"][0]["reason"]) == (1, "forbidden")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"force": "yes"}, "/force"), ({"trust": True}, "/trust"), ([], "")],
)
def test_a_strange_wish_is_pointed_at(scene: Scene, body: object, pointer: str) -> None:
    answer = scene.http.post(f"{path_of(scene, TOPIC)}/resume", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_gateway_that_does_not_answer_says_nothing(scene: Scene) -> None:
    scene.run_sql(
        "UPDATE credential SET state = 'paused', reason = 'forbidden', reason_text = 'No.', "
        "paused_at = now(), probe_at = now() WHERE provider = 'apns'"
    )
    settings = scene.settings.model_copy(update={"apns_production_url": "https://127.0.0.1:1"})
    box = SecretBox(settings.require_secret_keys())

    ProbeDuty(scene.database, box, prober_of(settings), scene.duties.nudger).run()

    left = credential(scene, TOPIC)
    assert (left["state"], left["reason"], left["reason_text"]) == ("paused", "forbidden", "No.")
    assert scene.scalar("SELECT max(probe_at) > now() + interval '3 seconds' FROM credential")


def test_one_bad_file_holds_no_other_up(scene: Scene) -> None:
    scene.run_sql(
        "UPDATE credential SET state = 'paused', reason = 'x', paused_at = now(), probe_at = now()"
    )
    scene.run_sql("UPDATE credential SET sealed = 'nonsense' WHERE provider = 'apns'")
    scene.run_sql(
        "INSERT INTO credential (app_id, public_id, provider, kind, name, project_id, sealed, "
        "state, paused_at, probe_at) SELECT app_id, 'cred_old', 'fcm', 'service_account', 'old', "
        "'gone-project', sealed, 'paused', now(), now() FROM credential WHERE provider = 'fcm'"
    )
    box = SecretBox(scene.settings.require_secret_keys())

    ProbeDuty(scene.database, box, prober_of(scene.settings), scene.duties.nudger).run()

    unusable, other = credential(scene, TOPIC), credential(scene, "old")
    assert credential(scene, PROJECT)["state"] == "active"
    assert (other["state"], other["reason"]) == ("paused", "project_not_found")
    assert (unusable["state"], unusable["reason"]) == ("paused", "credential_unusable")
    assert "can not be decrypted" in unusable["reason_text"]


def test_a_credential_without_its_secret_says_so_when_it_is_resumed(scene: Scene) -> None:
    path = f"{path_of(scene, PROJECT)}/resume"
    scene.run_sql(
        "UPDATE credential SET sealed = 'nonsense', state = 'paused' WHERE provider = 'fcm'"
    )

    answer = scene.http.post(path, json={})

    assert (answer.status_code, answer.json()["code"]) == (409, "credential_still_refused")
    assert "It stays paused." in answer.json()["detail"]


def test_a_key_of_another_team_is_never_let_in_by_a_known_one(scene: Scene) -> None:
    stranger = make_apns_key()
    body = {
        "kind": "token",
        "name": "stranger",
        "p8": stranger.p8,
        "key_id": stranger.key_id,
        "team_id": stranger.team_id,
        "topic": TOPIC,
        "environment": "production",
    }
    scene.post(f"/v1/apps/{scene.app_id}/credentials", body)
    scene.run_sql("UPDATE credential SET state = 'paused', paused_at = now(), probe_at = now()")

    probe(scene)

    assert credential(scene, TOPIC)["state"] == "active"
    assert credential(scene, "stranger")["state"] == "paused"


def test_the_history_has_pages_and_belongs_to_its_app(scene: Scene) -> None:
    path = path_of(scene, TOPIC)
    for _ in range(3):
        scene.run_sql("UPDATE credential SET state = 'paused' WHERE provider = 'apns'")
        scene.post(f"{path}/resume", {"force": True})

    first = scene.http.get(f"{path}/history", params={"limit": 2}).json()
    rest = scene.http.get(
        f"{path}/history", params={"limit": 2, "cursor": first["next_cursor"]}
    ).json()

    assert [len(page["data"]) for page in (first, rest)] == [2, 1]
    assert rest["next_cursor"] is None
    assert {one["kind"] for one in first["data"]} == {"resumed"}
    assert all(str(one["actor"]).startswith("key_") for one in first["data"])
    other = scene.http.get(f"/v1/apps/{scene.app_id}/credentials/cred_other/history")
    assert other.status_code == 404
    assert (
        scene.scalar(
            "SELECT count(*) FROM audit WHERE action = 'credential.resumed' "
            "AND detail->>'force' = 'true'"
        )
        == 3
    )


def test_a_forecast_says_in_words_what_would_have_to_wait(scene: Scene) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    scene.add_iphone(None, apns_token("accepted", 1))
    scene.run_sql(
        "UPDATE credential SET state = 'paused', reason_text = 'Apple refuses it.' "
        "WHERE provider = 'apns'"
    )
    scene.run_sql(
        "UPDATE credential SET held_platforms = ARRAY['ios'], hold_text = 'Mend the key.', "
        "held_until = now() + interval '1 hour' WHERE provider = 'fcm'"
    )

    answer = scene.post("/v1/messages/forecast", {"to": {"all": True}})

    assert [
        (one["provider"], one["held_by"], one["held_words"], one["held_platforms"])
        for one in answer["credentials"]
    ] == [
        ("fcm", None, "Mend the key.", ["ios"]),
        ("apns", "credential_paused", "Apple refuses it.", None),
    ]
