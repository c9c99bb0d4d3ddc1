"""Behaviours 31, 32 and 35 to 38: what gateways refuse for now, through engine and pacing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.faults.gateway import GatewayRules
from bench.faults.script import Script, greet
from bench.faults.server import FaultServer, serving
from core.settings import Settings
from delivery.sandbox.credentials import service_account_half
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.e2e.scene import Scene, open_scene, settings_for
from tests.fixtures.sandbox import TOPIC, Sandbox

SENT = "SELECT attempt, count(*) FROM ledger WHERE state = 'accepted' GROUP BY attempt ORDER BY 1"


def add_phones(scene: Scene, count: int, fate: str = "accepted", start: int = 0) -> None:
    common = {"provider": "fcm", "kind": "token", "platform": "android", "permission": "granted"}
    devices = [
        {**common, "installation_id": f"phone-{fate}-{serial}", "token": fcm_token(fate, serial)}
        for serial in range(start, start + count)
    ]
    for first in range(0, count, 1_000):
        scene.post("/v1/devices/batch", {"devices": devices[first : first + 1_000]})


def send(scene: Scene, **fields: Any) -> str:
    body = {"to": {"all": True}, "content": {"title": "Hello"}, **fields}
    return str(scene.post("/v1/messages", body)["id"])


def attempts(scene: Scene) -> dict[int, int]:
    with scene.database.connect() as connection:
        return {row[0]: row[1] for row in connection.exec_driver_sql(SENT)}


def finish(scene: Scene, message_id: str) -> dict[str, Any]:
    """Work until a message has ended; return it."""
    scene.work_until(lambda: scene.read(message_id)["finished_at"] is not None)
    return scene.assert_adds_up(message_id)


def frozen(scene: Scene) -> int:
    return int(scene.scalar("SELECT count(*) FROM credential WHERE frozen_until IS NOT NULL"))


def waiting(scene: Scene, message_id: str) -> dict[str, int]:
    return {one["reason"]: one["recipients"] for one in scene.read(message_id)["waiting"]}


def pass_time(scene: Scene, seconds: float) -> None:
    """Let what waits in the database wait so much shorter."""
    for table, column in (("chunk", "due_at"), ("collapse_budget", "arrival_at")):
        scene.run_sql(f"UPDATE {table} SET {column} = {column} - make_interval(secs => {seconds})")
    scene.run_sql(
        f"UPDATE credential SET frozen_until = frozen_until - make_interval(secs => {seconds})"
    )


def test_429_of_some_devices_delays_only_them(scene: Scene) -> None:
    scene.sandbox.control.profile(retry_after_seconds=2)
    for serial in range(5):
        scene.add_iphone(None, apns_token("throttled_once", 100 + serial))
    for serial in range(30):
        scene.add_iphone(None, apns_token("accepted", serial))
    add_phones(scene, 5, "throttled_once")
    add_phones(scene, 30)

    message_id = send(scene)
    scene.work()
    first = scene.read(message_id)
    reasons = waiting(scene, message_id)
    other = finish(scene, send(scene))
    message = finish(scene, message_id)

    assert (first["counts"]["accepted"], first["open"]) == (60, 10)
    assert reasons == {"too_many_requests": 5, "device_quota_exceeded": 5}
    assert message["counts"]["accepted"] == other["counts"]["accepted"] == 70
    assert frozen(scene) == 0
    assert scene.scalar("SELECT count(*) FROM credential WHERE learned_share IS NOT NULL") == 0
    assert scene.sandbox.control.stats()["duplicates"] == 0


@pytest.mark.parametrize("form", ["rate_limit_exceeded", "quota_exceeded", "quota_exceeded_date"])
def test_a_quota_in_windows_of_its_own_is_waited_for(scene: Scene, form: str) -> None:
    scene.sandbox.control.profile(
        fcm_quota_per_minute=100, fcm_quota_window_seconds=2, fcm_quota_outcome=form
    )
    add_phones(scene, 250)
    for serial in range(10):
        scene.add_iphone(None, apns_token("accepted", serial))

    began = time.monotonic()
    message_id = send(scene)
    scene.work()
    first = scene.read(message_id)
    reasons = waiting(scene, message_id)
    message = finish(scene, message_id)

    # APNs is none of that project, and the rest of its window is left alone.
    assert first["counts"]["accepted"] == 110
    assert reasons == {"quota_exceeded": 150}
    assert message["counts"]["accepted"] == 260
    # 100 in each of three windows, which begin when somebody comes.
    assert time.monotonic() - began >= 3.5
    assert frozen(scene) == 1
    assert scene.scalar("SELECT learned_share < 1 FROM credential WHERE provider = 'fcm'")
    assert scene.sandbox.control.stats()["duplicates"] == 0


def test_a_quota_that_is_lowered_sends_no_chunk_away_for_long(scene: Scene) -> None:
    add_phones(scene, 3)
    credential = scene.scalar("SELECT public_id FROM credential WHERE provider = 'fcm'")
    path = f"/v1/apps/{scene.app_id}/credentials/{credential}"
    scene.http.patch(path, json={"quota_per_minute": 60}).raise_for_status()
    # As a second after 10,000 a second were allowed; PostgreSQL is the pacer.
    scene.run_sql("UPDATE pacer SET live = 'postgresql', switched_at = now(), stay_seconds = 300")
    scene.run_sql(
        "INSERT INTO pace (scope, arrival_at, per_second) SELECT 'quota:' || app_id || ':fcm:' "
        "|| project_id, now() + interval '60 seconds', 10000 FROM credential WHERE provider = 'fcm'"
    )
    send(scene, lane="campaign")

    scene.work("campaign")

    away = scene.scalar("SELECT extract(epoch FROM due_at - now()) FROM chunk")
    assert 0 < float(away) <= 4


@pytest.mark.parametrize("form", ["rate_limit_exceeded_bare", "quota_exceeded_bare"])
def test_a_quota_that_names_no_time_is_left_alone_for_a_minute(scene: Scene, form: str) -> None:
    scene.sandbox.control.profile(fcm_quota_per_minute=10, fcm_quota_outcome=form)
    add_phones(scene, 30)

    message_id = send(scene)
    scene.work()
    requests = scene.sandbox.control.stats()["requests"]
    later = send(scene)
    pass_time(scene, 50)
    scene.work()
    still = scene.sandbox.control.stats()["requests"]
    scene.sandbox.control.profile(fcm_quota_per_minute=None)
    pass_time(scene, 25)

    assert still == requests
    assert finish(scene, message_id)["counts"]["accepted"] == 30
    assert finish(scene, later)["counts"]["accepted"] == 30
    assert scene.sandbox.control.stats()["duplicates"] == 0


def test_a_503_that_says_when_holds_the_project_back_until_then(scene: Scene) -> None:
    # What comes too early has a minute more than a slow machine takes.
    scene.sandbox.control.profile(retry_after_seconds=300)
    add_phones(scene, 20, "unavailable_once_later")

    message_id = send(scene)
    scene.work()
    later = send(scene)
    scene.work()
    seen = scene.sandbox.control.answers()
    pass_time(scene, 240)
    scene.work()
    too_early = scene.sandbox.control.answers()
    pass_time(scene, 70)

    scene.sandbox.control.profile(forced=[{"provider": "fcm", "outcome": "accepted"}])

    assert seen == too_early
    assert finish(scene, message_id)["counts"]["accepted"] == 20
    assert finish(scene, later)["counts"]["accepted"] == 20
    assert scene.scalar("SELECT count(*) FROM credential WHERE learned_share IS NOT NULL") == 0


def test_bursts_of_5xx_are_tried_again_later_over_the_same_connections(scene: Scene) -> None:
    add_phones(scene, 150, "server_error_once")
    add_phones(scene, 150, "unavailable_once")
    add_phones(scene, 50)
    for serial in range(150):
        scene.add_iphone(None, apns_token("server_error_once", serial))

    message = finish(scene, send(scene))

    assert message["counts"]["accepted"] == 500
    assert attempts(scene) == {1: 50, 2: 450}
    stats = scene.sandbox.control.stats()
    assert stats["duplicates"] == 0
    # Engines of this test open their own; not one was worn out by what it was told.
    assert stats["connections"] <= 4 * 2 * 4
    assert frozen(scene) == 0


def test_the_hour_for_retries_begins_with_the_first_attempt(scene: Scene) -> None:
    add_phones(scene, 1, "server_error_once")
    message_id = send(scene)
    scene.duties.cut_due()
    # As after hours in a chunk that waited for its rate, or for somebody to resume it.
    scene.run_sql("UPDATE chunk SET first_attempt_at = now() - interval '2 hours'")

    message = finish(scene, message_id)

    assert message["counts"]["accepted"] == 1
    assert attempts(scene) == {2: 1}


def test_a_first_retry_is_never_sooner_than_the_floor_and_is_spread(
    fresh_database: str, redis_url: str, broker_url: str, sandbox: Sandbox
) -> None:
    urls = (fresh_database, redis_url, broker_url)
    # As shipped, but for small windows: each draws for itself.
    with open_scene(settings_for(urls, sandbox, window_size=20), sandbox) as scene:
        add_phones(scene, 400, "server_error_once")
        send(scene, lane="campaign")
        scene.work("campaign")

        waits = [
            float(wait)
            for wait in scene.scalar(
                "SELECT array_agg(extract(epoch FROM due_at - clock_timestamp())) FROM chunk"
            )
        ]

    assert len({round(wait) for wait in waits}) >= 5
    assert min(waits) >= 8
    assert max(waits) <= 21
    assert max(waits) - min(waits) >= 4


def test_answers_of_twelve_seconds_are_waited_for_and_nothing_is_sent_twice(scene: Scene) -> None:
    scene.sandbox.control.profile(slow_seconds=12, latency={"p50": 50, "p99": 500, "max": 1_000})
    add_phones(scene, 5, "slow")
    add_phones(scene, 200)

    message = finish(scene, send(scene))

    assert message["counts"]["accepted"] == 205
    assert attempts(scene) == {1: 205}
    stats = scene.sandbox.control.stats()
    assert (stats["accepted"], stats["duplicates"]) == (205, 0)


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_an_answer_beyond_the_timeout_is_a_matter_of_the_policy(
    fresh_database: str, redis_url: str, broker_url: str, sandbox: Sandbox, policy: str
) -> None:
    urls = (fresh_database, redis_url, broker_url)
    quick = {"request_timeout_seconds": 2, "retry_floor_seconds": 0.5, "max_attempts": 2}
    with open_scene(settings_for(urls, sandbox, **quick), sandbox) as scene:
        # Answers of a minute, where twenty seconds are waited for.
        sandbox.control.profile(slow_seconds=6)
        add_phones(scene, 5, "slow")
        add_phones(scene, 20)

        message = finish(scene, send(scene, policy=policy))

        answered = scene.sandbox.control.stats()
    assert message["counts"]["accepted"] == 20
    if policy == "at_most_once":
        assert message["reasons"]["unknown"] == {"timeout": 5}
        assert answered["duplicates"] == 0
    else:
        # Each try may have arrived: nobody is told that it was rejected.
        assert message["reasons"]["unknown"] == {"timeout": 5}
        assert answered["duplicates"] == 5


def test_ten_seconds_are_the_least_that_is_waited_for(scene: Scene) -> None:
    shipped = {name: field.default for name, field in Settings.model_fields.items()}

    assert shipped["request_timeout_seconds"] >= 10
    assert shipped["retry_floor_seconds"] >= 10


def test_a_device_beyond_its_limit_waits_alone(scene: Scene) -> None:
    scene.sandbox.control.profile(fcm_device_per_minute=3, fcm_device_per_hour=50)
    add_phones(scene, 1)
    for _ in range(3):
        finish(scene, send(scene))
    add_phones(scene, 20, start=1)

    message_id = send(scene)
    scene.work()
    first, reasons = scene.read(message_id), waiting(scene, message_id)
    scene.sandbox.control.profile(fcm_device_per_minute=None)
    message = finish(scene, message_id)

    assert first["counts"]["accepted"] == 20
    assert reasons == {"device_quota_exceeded": 1}
    assert message["counts"]["accepted"] == 21
    assert frozen(scene) == 0


def test_collapsible_messages_beyond_the_budget_wait_where_it_can_be_seen(scene: Scene) -> None:
    add_phones(scene, 1)
    for _ in range(20):
        finish(scene, send(scene, collapse_id="score"))
    add_phones(scene, 5, start=1)

    waits = send(scene, collapse_id="score")
    too_short = send(scene, collapse_id="place", ttl_seconds=60)
    free = send(scene)
    for _ in range(3):
        scene.work()
    first, reasons = scene.read(waits), waiting(scene, waits)
    ended = finish(scene, too_short)

    assert first["counts"]["accepted"] == 5
    assert reasons == {"collapse_budget": 1}
    assert ended["counts"]["accepted"] == 5
    assert ended["reasons"]["expired"] == {"collapse_budget": 1}
    assert finish(scene, free)["counts"]["accepted"] == 6
    pass_time(scene, 181)
    assert finish(scene, waits)["counts"]["accepted"] == 6
    # FCM had nothing to delay in secret, but for what our clock says has passed.
    assert scene.sandbox.control.stats()["collapsible_delayed"] == 1


@contextmanager
def impatient(folder: Path, sandbox: Sandbox, **profile: Any) -> Iterator[tuple[FaultServer, Any]]:
    """Yield gateways that hang up on bad senders."""
    rules = GatewayRules(folder / "gateway")
    with serving(folder / "authority", Script(arrived=rules.answer, opened=greet(100))) as server:
        registry = rules.gateway.registry
        account = {**sandbox.account, "token_uri": f"{server.url}/token"}
        server.call(lambda: registry.add(service_account_half(account)))
        server.call(lambda: registry.add(sandbox.key.public_half((TOPIC,))))
        server.call(lambda: rules.change(**profile))
        yield server, account
    rules.close()


def test_a_gateway_that_hangs_up_on_bad_requests_gets_the_good_ones_once(
    fresh_database: str, redis_url: str, broker_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    urls = (fresh_database, redis_url, broker_url)
    with impatient(tmp_path, sandbox, patience=60, slow_seconds=0.2) as (server, _account):
        changes = {"apns_production_url": server.url, "gateway_ca_file": str(server.ca)}
        quick = {"retry_floor_seconds": 0.5, "window_size": 50}
        with open_scene(settings_for(urls, sandbox, **changes, **quick), sandbox) as scene:
            for serial in range(60):
                scene.add_iphone(None, apns_token("bad_device_token", 100 + serial))
                scene.add_iphone(None, apns_token("accepted", serial))

            message = finish(scene, send(scene))

        connections = server.record.connections
        counts = message["counts"]
        # 60 bad tokens weigh 300: each connection bears 120 of that.
        assert any(entry.goaways for entry in connections)
        assert 2 <= len(connections) <= 12
        assert (counts["accepted"], counts["rejected"], counts["unknown"]) == (60, 60, 0)
        assert message["reasons"]["rejected"] == {"bad_device_token": 60}
        accepted = [entry for entry in server.record.requests if entry.answer == "200"]
        assert len(accepted) == len({entry.path for entry in accepted}) == 60
