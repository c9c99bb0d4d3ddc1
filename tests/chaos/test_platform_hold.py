"""Apple refuses the key of a Firebase project: iPhones wait, Android phones do not notice."""

from typing import Any

from delivery.sandbox.tokens import fcm_token
from tests.chaos.stage import Stage
from tests.chaos.test_credential_refused import credential
from tests.deadlines import wait_until
from tests.fixtures.sandbox import PROJECT

_IPHONES, _PHONES = 300, 600


def add_iphones_of_firebase(stage: Stage) -> None:
    devices: list[dict[str, Any]] = [
        {
            "installation_id": f"iphone-{number:06}",
            "provider": "fcm",
            "kind": "token",
            "platform": "ios",
            "permission": "granted",
            "token": fcm_token("third_party_auth_error", number),
        }
        for number in range(_IPHONES)
    ]
    stage.scene.post("/v1/devices/batch", {"devices": devices})


def test_iphones_wait_while_android_goes_on(stage: Stage) -> None:
    control = stage.scene.sandbox.control
    add_iphones_of_firebase(stage)
    stage.add_phones(_PHONES)
    stage.crew.start()

    message_id = stage.send()
    wait_until(
        lambda: stage.scene.read(message_id)["counts"]["accepted"] == _PHONES,
        30,
        "everybody else has got it",
    )
    held = credential(stage, PROJECT)
    refused = control.answers()[("fcm", 401, "THIRD_PARTY_AUTH_ERROR")]
    # Twice as long as the first hold lasts: it was tried again, with a few.
    wait_until(
        lambda: control.answers()[("fcm", 401, "THIRD_PARTY_AUTH_ERROR")] > refused,
        30,
        "it is tried again",
    )
    (waiting,) = stage.scene.read(message_id)["waiting"]
    tried_again = control.answers()[("fcm", 401, "THIRD_PARTY_AUTH_ERROR")] - refused
    calls = control.stats()["oauth_calls"]
    control.profile(forced=[{"provider": "fcm", "outcome": "accepted"}])
    books = stage.wait_end(message_id, 90)

    assert (held["state"], held["held_platforms"]) == ("active", ["ios", "web"])
    assert "APNs key or certificate" in held["hold_text"]
    assert (waiting["reason"], waiting["recipients"]) == ("third_party_auth_error", _IPHONES)
    assert waiting["words"] == held["hold_text"]
    assert tried_again <= 10
    assert calls == 1
    assert books.message["counts"]["accepted"] == _IPHONES + _PHONES
    assert books.duplicates == 0
    assert stage.scene.scalar("SELECT max(attempt) FROM ledger") == 1


def test_whoever_resumes_the_credential_lets_the_iphones_go_at_once(stage: Stage) -> None:
    scene = stage.scene
    add_iphones_of_firebase(stage)
    stage.crew.start()
    message_id = stage.send()
    wait_until(
        lambda: credential(stage, PROJECT)["held_platforms"] is not None, 30, "they are held"
    )
    # Tried in vain some times, it would be left alone for long now.
    scene.run_sql(
        "UPDATE credential SET held_until = now() + interval '1 hour' "
        "WHERE held_platforms IS NOT NULL"
    )
    hour = "SELECT count(*) FROM chunk WHERE due_at < now() + interval '50 minutes'"
    wait_until(lambda: scene.scalar(hour) == 0, 30, "all wait for an hour")
    scene.sandbox.control.profile(forced=[{"provider": "fcm", "outcome": "accepted"}])

    found = credential(stage, PROJECT)
    resumed = scene.post(f"/v1/apps/{scene.app_id}/credentials/{found['id']}/resume", {})
    books = stage.wait_end(message_id)

    assert (resumed["state"], resumed["held_platforms"]) == ("active", None)
    assert books.message["counts"]["accepted"] == _IPHONES
