"""What has been handed to the sender and could not be written leaves no more once it is stopped.

The gateways' own record says when pushes came. Here they come late: connections hang in TLS, the
token endpoint does not answer, or no stream is free.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.services.pair import Urls
from bench.relay import Relay
from delivery.sandbox.client import ControlClient, start_sandbox, stop_sandbox
from delivery.sandbox.credentials import (
    make_apns_key,
    make_service_account,
    service_account_half,
)
from tests.chaos.stage import Stage, open_stage
from tests.deadlines import note, wait_until, within
from tests.fixtures.sandbox import PROJECT, TOPIC, Sandbox, trust

_DEVICES = 600
_IPHONES = _DEVICES // 3
_LIMIT_SECONDS = within(1.0)
# Requests may wait for twenty seconds, and tokens that nobody has seen yet go out at once.
_PATIENT = {
    "in_doubt_limit": 2_000,
    "window_size": 500,
    "lease_seconds": 30,
    "guard_answers": 10_000,
}


@pytest.fixture
def stage(shared_urls: Urls, line: tuple[Relay, Sandbox], tmp_path: Path) -> Iterator[Stage]:
    """A platform that reaches its gateways over the line alone."""
    with open_stage(shared_urls, line[1], tmp_path, **_PATIENT) as made:
        yield made


@dataclass
class Gate:
    """Keeps connections of the line from getting anywhere until it is opened."""

    relay: Relay
    opened: threading.Event

    @classmethod
    def shut(cls, relay: Relay) -> "Gate":
        """End what is connected, and let what comes hang in TLS."""
        gate = cls(relay, threading.Event())
        relay.cut()
        relay.judge = lambda _link, _data: gate.opened.wait(60)
        relay.open()
        return gate


@pytest.fixture
def gate(line: tuple[Relay, Sandbox]) -> Iterator[Callable[[], Gate]]:
    """Shut a gate; it is opened in the end, or its threads would stay."""
    made: list[Gate] = []

    def shut() -> Gate:
        made.append(Gate.shut(line[0]))
        return made[-1]

    yield shut
    for one in made:
        one.opened.set()


def is_held(stage: Stage) -> bool:
    """Tell whether a worker holds chunks."""
    held = stage.scene.scalar("SELECT count(*) FROM chunk WHERE lease_until > now()")
    return bool(held)


def send_to_hang(stage: Stage) -> str:
    """Send a campaign and return its id once all of it is in the sender's hands."""
    message_id = stage.send()
    wait_until(
        lambda: (
            stage.scene.scalar("SELECT sum(cardinality(open)) FROM chunk WHERE lease_until > now()")
            == _DEVICES
        ),
        30,
        "everybody is on the way",
    )
    return message_id


def pass_limit(since: float) -> None:
    wait_until(lambda: time.time() >= since + _LIMIT_SECONDS, 5, "a second passes")


def post(stage: Stage, path: str) -> float:
    """Post and return when it was answered."""
    stage.scene.post(path, {})
    return time.time()


def put_switch(stage: Stage, path: str) -> float:
    answer = stage.scene.http.put(path, json={"reason": "A wrong price."})
    assert answer.status_code == 200, answer.text
    return time.time()


def credential(stage: Stage, provider: str) -> str:
    found = stage.scene.http.get(f"/v1/apps/{stage.scene.app_id}/credentials").json()["data"]
    (public_id,) = [one["id"] for one in found if one["provider"] == provider]
    return str(public_id)


@pytest.mark.parametrize("knows_token", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_cancel_reaches_what_hangs(
    stage: Stage, gate: Callable[[], Gate], *, knows_token: bool
) -> None:
    stage.add_devices(_DEVICES)
    stage.crew.start()
    if knows_token:
        stage.wait_end(stage.send())
    before, shut = stage.accepted(), gate()
    message_id = send_to_hang(stage)

    since = post(stage, f"/v1/messages/{message_id}/cancel")
    pass_limit(since)
    shut.opened.set()
    books = stage.wait_end(message_id)
    # Connections that come late are used by the next one, so they have come.
    after = stage.accepted()
    next_books = stage.wait_end(stage.send())

    assert books.message["state"] == "cancelled"
    assert books.message["reasons"]["suppressed"] == {"cancelled": _DEVICES}
    assert books.gateways.total() == 0
    assert after == before
    assert next_books.message["counts"]["accepted"] == _DEVICES


def stop_by_pause(stage: Stage, message_id: str) -> tuple[float, Callable[[], object]]:
    since = post(stage, f"/v1/messages/{message_id}/pause")
    return since, lambda: post(stage, f"/v1/messages/{message_id}/resume")


def stop_by_switch(stage: Stage, _message_id: str) -> tuple[float, Callable[[], object]]:
    path = "/v1/kill-switch"
    return put_switch(stage, path), lambda: stage.scene.http.delete(path).raise_for_status()


def stop_by_app_switch(stage: Stage, _message_id: str) -> tuple[float, Callable[[], object]]:
    path = f"/v1/apps/{stage.scene.app_id}/kill-switch"
    return put_switch(stage, path), lambda: stage.scene.http.delete(path).raise_for_status()


Stop = Callable[[Stage, str], tuple[float, Callable[[], object]]]


@pytest.mark.parametrize(
    ("stop", "knows_token"),
    [
        (stop_by_pause, True),
        (stop_by_switch, False),
        pytest.param(stop_by_pause, False, marks=pytest.mark.long),
        pytest.param(stop_by_switch, True, marks=pytest.mark.long),
        pytest.param(stop_by_app_switch, True, marks=pytest.mark.long),
        pytest.param(stop_by_app_switch, False, marks=pytest.mark.long),
    ],
)
def test_who_hangs_waits_untried_and_gets_it_once(
    stage: Stage, gate: Callable[[], Gate], stop: Stop, *, knows_token: bool
) -> None:
    stage.add_devices(_DEVICES)
    stage.crew.start()
    if knows_token:
        stage.wait_end(stage.send())
    before, shut = stage.accepted(), gate()
    message_id = send_to_hang(stage)

    since, undo = stop(stage, message_id)
    pass_limit(since)
    shut.opened.set()
    pass_limit(time.time())
    wait_until(lambda: not is_held(stage), 30, "no worker holds a chunk")
    stopped = stage.scene.read(message_id)
    reached = stage.accepted()
    undo()
    books = stage.wait_end(message_id)

    (waiting,) = stopped["waiting"]
    assert waiting["recipients"] == stopped["open"] == _DEVICES
    assert waiting["reason"] in {"message_paused", "kill_switch"}
    assert reached == before
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0
    # It was no attempt: nobody is tried a second time.
    assert stage.scene.scalar("SELECT max(attempt) FROM ledger") == 1


def switch_fcm(stage: Stage) -> tuple[float, Callable[[], object]]:
    path = f"/v1/apps/{stage.scene.app_id}/credentials/{credential(stage, 'fcm')}/kill-switch"
    return put_switch(stage, path), lambda: stage.scene.http.delete(path).raise_for_status()


def pause_fcm(stage: Stage) -> tuple[float, Callable[[], object]]:
    """Pause as a worker does whose push was refused for the credential's sake."""
    public_id = credential(stage, "fcm")
    stage.scene.run_sql(
        "UPDATE credential SET state = 'paused', reason = 'unauthenticated', "
        "updated_at = clock_timestamp() WHERE public_id = :id",
        id=public_id,
    )
    path = f"/v1/apps/{stage.scene.app_id}/credentials/{public_id}/resume"
    return time.time(), lambda: post(stage, path)


@pytest.mark.parametrize(
    ("stop", "knows_token"),
    [
        (switch_fcm, True),
        (pause_fcm, False),
        pytest.param(switch_fcm, False, marks=pytest.mark.long),
        pytest.param(pause_fcm, True, marks=pytest.mark.long),
    ],
)
def test_only_the_credential_that_stops_is_withdrawn(
    stage: Stage,
    gate: Callable[[], Gate],
    stop: Callable[[Stage], tuple[float, Callable[[], object]]],
    *,
    knows_token: bool,
) -> None:
    stage.add_devices(_DEVICES)
    stage.crew.start()
    if knows_token:
        stage.wait_end(stage.send())
    shut = gate()
    message_id = send_to_hang(stage)
    before = android_pushes(stage)

    since, undo = stop(stage)
    pass_limit(since)
    shut.opened.set()

    def iphones_end() -> bool:
        return bool(stage.scene.read(message_id)["counts"]["accepted"] == _IPHONES)

    wait_until(iphones_end, 60, "the iPhones have it")
    reached, stopped = android_pushes(stage), stage.scene.read(message_id)
    undo()
    books = stage.wait_end(message_id)

    assert reached == before
    assert stopped["open"] == _DEVICES - _IPHONES
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0


def android_pushes(stage: Stage) -> int:
    """Count what FCM has accepted: Apple's tokens have no colon."""
    return sum(":" in token for token, _ in stage.scene.sandbox.control.accepted())


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Sandbox]:
    """Gateways that allow each connection one stream."""
    folder = tmp_path / "narrow"
    process, address = start_sandbox(folder, "--max-concurrent-streams", "1")
    try:
        account, key = make_service_account(PROJECT, address.token_uri), make_apns_key()
        http = httpx.Client(http2=True, verify=trust(address), timeout=20, trust_env=False)
        with ControlClient(address) as control, http:
            half: dict[str, Any] = service_account_half(account)
            control.register(half)
            control.register_apns_key(key, TOPIC)
            yield Sandbox(address, control, http, folder, account, key, half)
    finally:
        stop_sandbox(process)


@pytest.mark.parametrize("move", ["cancel", "pause"])
def test_who_waits_for_a_stream_is_withdrawn(
    shared_urls: Urls, narrow: Sandbox, tmp_path: Path, move: str
) -> None:
    with open_stage(shared_urls, narrow, tmp_path, **_PATIENT) as stage:
        stage.add_devices(_DEVICES)
        narrow.control.profile(latency=1_500)
        stage.crew.start()
        message_id = stage.send()
        stage.wait_accepted(2)

        since = post(stage, f"/v1/messages/{message_id}/{move}")
        wait_until(lambda: not is_held(stage), 30, "no worker holds a chunk")
        last_after = float(narrow.control.stats()["last_arrival"]) - since
        stopped, reached = stage.scene.read(message_id), stage.accepted()
        narrow.control.profile(latency=0)
        if move == "pause":
            post(stage, f"/v1/messages/{message_id}/resume")
        books = stage.wait_end(message_id)

    note(f"last push {last_after:.2f} s after {move}")
    assert last_after < _LIMIT_SECONDS
    assert stopped["counts"]["accepted"] == reached < _DEVICES
    assert books.duplicates == 0
    if move == "pause":
        assert stopped["open"] == _DEVICES - reached
        assert books.message["counts"]["accepted"] == _DEVICES
    else:
        assert books.message["reasons"]["suppressed"] == {"cancelled": _DEVICES - reached}
