"""A kill switch in the middle of a campaign: a second later nothing leaves, and nobody is lost."""

import time
from collections.abc import Callable

import pytest

from delivery.sandbox.tokens import fcm_token
from tests.chaos.stage import Stage
from tests.deadlines import note, wait_until, within
from tests.e2e.scene import add_credentials

_DEVICES = 600
_THEIRS = 300
_RATE = 100.0
_LIMIT_SECONDS = within(1.0)


def put(stage: Stage, path: str) -> float:
    """Set a switch; return when it was answered."""
    answer = stage.scene.http.put(path, json={"reason": "A wrong price."})
    assert answer.status_code == 200, answer.text
    return time.time()


def lift(stage: Stage, path: str) -> None:
    assert stage.scene.http.delete(path).status_code == 204


def check_held(since: float, count: Callable[[], int], meanwhile: Callable[[], object]) -> int:
    """Check that nothing is counted later than a second after `since`; return how many were."""
    wait_until(lambda: time.time() >= since + _LIMIT_SECONDS, 5, "a second passes")
    reached = count()
    meanwhile()
    assert count() == reached
    return reached


def is_idle(stage: Stage) -> bool:
    held = stage.scene.scalar("SELECT count(*) FROM chunk WHERE lease_until > now()")
    return bool(held == 0)


@pytest.mark.parametrize("rate", [_RATE, pytest.param(None, marks=pytest.mark.long)])
def test_the_whole_installation_stops_and_goes_on(stage: Stage, rate: float | None) -> None:
    stage.add_devices(_DEVICES)
    stage.scene.sandbox.control.profile(latency={"p50": 200, "p99": 900, "max": 1500})
    stage.crew.start()
    message_id = stage.send(rate_per_second=rate)
    stage.wait_accepted(60)

    since = put(stage, "/v1/kill-switch")
    wait_until(lambda: is_idle(stage), 30, "no worker holds a chunk")
    stopped, reached = stage.scene.read(message_id), stage.accepted()
    last_after = float(stage.scene.sandbox.control.stats()["last_arrival"]) - since
    accepted_meanwhile = stage.send()
    lift(stage, "/v1/kill-switch")
    books = stage.wait_end(message_id)

    note(f"last push {last_after:.2f} s after the switch")
    assert last_after < _LIMIT_SECONDS
    assert stopped["counts"]["accepted"] == reached < _DEVICES
    assert [one["reason"] for one in stopped["waiting"]] == ["kill_switch"]
    assert stopped["waiting"][0]["recipients"] == stopped["open"] == _DEVICES - reached
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0
    assert stage.wait_end(accepted_meanwhile).message["counts"]["accepted"] == _DEVICES


def test_a_killed_app_stops_no_other(stage: Stage) -> None:
    stage.add_devices(_DEVICES)
    their_app, theirs = _second_app(stage)
    stage.crew.start()
    ours_id = stage.send(rate_per_second=_RATE)
    stage.wait_accepted(60)
    body = {"to": {"all": True}, "lane": "campaign", "content": {"title": "Theirs"}}
    their_id = stage.scene.post("/v1/messages", {**body, "rate_per_second": _RATE}, **theirs)["id"]

    def their_end() -> None:
        path = f"/v1/messages/{their_id}"
        wait_until(
            lambda: stage.scene.http.get(path, headers=theirs).json()["state"] == "finished",
            60,
            "the other app's campaign ends",
        )

    path = f"/v1/apps/{stage.scene.app_id}/kill-switch"
    reached = check_held(put(stage, path), lambda: _arrived(stage, ours_id), their_end)
    (waiting,) = stage.scene.read(ours_id)["waiting"]
    seen = stage.scene.http.get(f"/v1/apps/{their_app}/kill-switch").json()
    lift(stage, path)
    books = stage.wait_end(ours_id)

    assert 0 < reached < _DEVICES
    assert waiting["recipients"] == _DEVICES - reached
    assert not seen["is_on"]
    assert seen["stopped_by"] == []
    assert (books.message["counts"]["accepted"], books.duplicates) == (_DEVICES, 0)
    assert stage.accepted() == _DEVICES + _THEIRS


def test_a_killed_credential_stops_no_other(stage: Stage) -> None:
    stage.add_devices(_DEVICES)
    stage.crew.start()
    message_id = stage.send(rate_per_second=_RATE)
    stage.wait_accepted(60)
    app = f"/v1/apps/{stage.scene.app_id}"
    found = stage.scene.http.get(f"{app}/credentials").json()["data"]
    (fcm,) = [one["id"] for one in found if one["provider"] == "fcm"]

    def iphones_end() -> None:
        wait_until(lambda: _tokens(stage, apple=True) == _DEVICES // 3, 60, "the iPhones have it")

    path = f"{app}/credentials/{fcm}/kill-switch"
    reached = check_held(put(stage, path), lambda: _tokens(stage, apple=False), iphones_end)
    (waiting,) = stage.scene.read(message_id)["waiting"]
    lift(stage, path)
    books = stage.wait_end(message_id)

    assert waiting["words"] == "A kill switch stops this credential: A wrong price."
    assert waiting["recipients"] == _DEVICES - _DEVICES // 3 - reached
    assert (books.message["counts"]["accepted"], books.duplicates) == (_DEVICES, 0)


def _second_app(stage: Stage) -> tuple[str, dict[str, str]]:
    app_id = str(stage.scene.post("/v1/apps", {"name": "Other"})["id"])
    add_credentials(stage.scene, app_id)
    headers = {"Carillon-App": app_id}
    devices = [
        {
            "installation_id": f"theirs-{number}",
            "permission": "granted",
            "provider": "fcm",
            "kind": "token",
            "platform": "android",
            "token": fcm_token("accepted", 100_000 + number),
        }
        for number in range(_THEIRS)
    ]
    stage.scene.post("/v1/devices/batch", {"devices": devices}, **headers)
    return app_id, headers


def _arrived(stage: Stage, message_id: str) -> int:
    return stage.books(message_id).gateways.total()


def _tokens(stage: Stage, *, apple: bool) -> int:
    accepted = stage.scene.sandbox.control.accepted()
    # Apple's tokens are hexadecimal numbers, Google's have a colon.
    return sum((":" not in token) == apple for token, _ in accepted)
