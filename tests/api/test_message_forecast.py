"""The forecast at the door: exact recipients, credentials apart, and what it takes for granted."""

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.clock import utc_now
from tests.api.doors import AppDoors, Doors, phone, pointers, problem
from tests.api.village import apns_key, service_account

EVERYBODY = {"all": True}


@pytest.fixture
def credentials(doors: Doors, app: AppDoors) -> dict[str, str]:
    """The ids of a credential of each gateway, by provider."""
    made = [
        doors.client.post(f"{app.path}/credentials", headers=app.admin, json=body).json()
        for body in (service_account(), apns_key())
    ]
    return {one["provider"]: one["id"] for one in made}


def add_iphone(app: AppDoors, number: int) -> None:
    app.register(
        provider="apns",
        kind="alert",
        platform="ios",
        environment="development",
        token=f"{number:064x}",
    )


def forecast(app: AppDoors, to: dict[str, Any] = EVERYBODY, **fields: Any) -> dict[str, Any]:
    answer = ask(app, to, **fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ask(app: AppDoors, to: dict[str, Any], **fields: Any) -> Any:
    body = {"to": to, "lane": "campaign", **fields}
    return app.client.post("/v1/messages/forecast", headers=app.server, json=body)


def at(words: str) -> datetime:
    return datetime.fromisoformat(words)


def scalar(doors: Doors, sql: str, **values: Any) -> Any:
    with doors.services.engine.begin() as connection:
        return connection.execute(text(sql), values).scalar()


def test_recipients_are_exact_and_each_credential_has_its_part(
    app: AppDoors, credentials: dict[str, str]
) -> None:
    for _ in range(3):
        app.register()
    app.register(permission="denied")
    add_iphone(app, 1)
    app.add_person("nobody-home")

    found = forecast(app)

    count = app.client.post("/v1/messages/count", headers=app.server, json={"to": EVERYBODY})
    assert {key: found[key] for key in count.json()} == count.json()
    assert (found["recipients"], found["sendable"]) == (6, 4)
    fcm, apns = found["credentials"]
    assert (fcm["id"], fcm["recipients"], fcm["quota_per_minute"]) == (
        credentials["fcm"], 3, 600_000,
    )  # fmt: skip
    assert (apns["id"], apns["recipients"], apns["quota_per_minute"]) == (
        credentials["apns"], 1, None,
    )  # fmt: skip


@pytest.mark.usefixtures("credentials")
def test_a_rate_decides_and_the_times_follow(app: AppDoors) -> None:
    for number in range(20):
        add_iphone(app, number)

    found = forecast(app, rate_per_second=2)

    assert (found["seconds"], found["limited_by"]) == (10.0, "rate")
    assert at(found["first_pass_at"]) - at(found["starts_at"]) == timedelta(seconds=10)
    assert found["finishes_at"] == found["first_pass_at"]
    assert at(found["expires_at"]) - at(found["starts_at"]) == timedelta(days=1)


@pytest.mark.usefixtures("credentials")
def test_what_expires_first_has_no_first_pass(app: AppDoors) -> None:
    for number in range(20):
        add_iphone(app, number)

    found = forecast(app, rate_per_second=2, ttl_seconds=9)

    assert (found["seconds"], found["first_pass_at"]) == (10.0, None)
    assert found["finishes_at"] == found["expires_at"]


@pytest.mark.usefixtures("credentials")
def test_a_quota_is_tried_out_for_fcm_only(app: AppDoors) -> None:
    add_iphone(app, 1)
    for _ in range(3):
        app.register()

    found = forecast(app, quota_per_minute=1)

    assert [one["quota_per_minute"] for one in found["credentials"]] == [1, None]
    # Three pushes at 0.98 a minute: so slow a quota has no ramp.
    assert found["seconds"] == pytest.approx(3 * 60 / 0.98, abs=0.01)
    assert found["limited_by"] == "quota"


def test_the_quota_of_a_credential_goes_before_the_default(
    app: AppDoors, credentials: dict[str, str]
) -> None:
    app.register()
    path = f"{app.path}/credentials/{credentials['fcm']}"
    app.client.patch(path, headers=app.admin, json={"quota_per_minute": 60}).raise_for_status()

    (one,) = forecast(app)["credentials"]

    assert one["quota_per_minute"] == 60


def test_a_quota_of_apns_has_a_ramp_too(app: AppDoors, credentials: dict[str, str]) -> None:
    add_iphone(app, 1)
    path = f"{app.path}/credentials/{credentials['apns']}"
    body = {"quota_per_minute": 6_000}
    app.client.patch(path, headers=app.admin, json=body).raise_for_status()

    found = forecast(app)

    assert found["seconds"] == pytest.approx(math.sqrt(2 * 60 / 98), abs=0.01)


@pytest.mark.usefixtures("credentials")
def test_a_message_for_later_starts_then(app: AppDoors) -> None:
    app.register()
    later = utc_now() + timedelta(hours=3)

    found = forecast(app, send_at=later.isoformat())
    past = forecast(app, send_at="2020-01-01T00:00:00Z")

    assert at(found["starts_at"]) == later
    assert abs(at(past["starts_at"]) - utc_now()) < timedelta(minutes=1)


@pytest.mark.usefixtures("credentials")
def test_what_others_have_waiting_is_counted(doors: Doors, app: AppDoors) -> None:
    names = [f"person-{number}" for number in range(4)]
    for name in names:
        app.add_person(name)
        app.register()
    devices = [app.register()["id"] for _ in range(4)]
    sent = [
        doors.client.post(
            "/v1/messages",
            headers=app.server,
            json={"to": {"devices": devices}, "content": {"title": "Hello"}, "lane": lane},
        ).json()["id"]
        for lane in ("campaign", "campaign", "transactional")
    ]
    doors.client.post(f"/v1/messages/{sent[1]}/pause", headers=app.server).raise_for_status()

    campaign = forecast(app)["credentials"][0]["waiting"]
    transactional = forecast(app, lane="transactional")["credentials"][0]["waiting"]

    # A paused message is in nobody's way, and a campaign in no transactional message's.
    assert (campaign, transactional) == (8, 4)


@pytest.mark.usefixtures("credentials")
def test_raw_tokens_are_counted_and_not_stored(doors: Doors, app: AppDoors) -> None:
    tokens = [phone()["token"] for _ in range(3)]

    found = forecast(app, {"tokens": [*tokens, tokens[0]]})

    assert (found["recipients"], found["sendable"]) == (3, 3)
    sql = "SELECT count(*) FROM device WHERE app_id = :app_id"
    assert scalar(doors, sql, app_id=app.inner_id) == 0


def test_what_holds_a_credential_is_said(
    doors: Doors, app: AppDoors, credentials: dict[str, str]
) -> None:
    app.register()
    held = [forecast(app)["credentials"][0]["held_by"]]
    path = f"{app.path}/credentials/{credentials['fcm']}"
    for sql in (
        "UPDATE credential SET frozen_until = now() + interval '1 hour' WHERE app_id = :app_id",
        "UPDATE credential SET state = 'paused' WHERE app_id = :app_id",
    ):
        with doors.services.engine.begin() as connection:
            connection.execute(text(sql), {"app_id": app.inner_id})
        held.append(forecast(app)["credentials"][0]["held_by"])
    body = {"reason": "A wrong price."}
    doors.client.put(f"{path}/kill-switch", headers=app.admin, json=body).raise_for_status()
    held.append(forecast(app)["credentials"][0]["held_by"])

    assert held == [None, "project_frozen", "credential_paused", "kill_switch"]


_PAST = """
WITH made AS (
    INSERT INTO message (app_id, public_id, lane, state, policy, content, audience, ttl_seconds,
        send_at, targeted, rate_per_second, started_at, first_pass_at, finished_at)
    SELECT :app_id, 'msg_' || gen_random_uuid(), 'campaign', 'finished', 'at_most_once', '{}', '{}',
        60, now(), :sent, :rate, date_bin('10 seconds', now(), 'epoch') - interval '5 minutes',
        date_bin('10 seconds', now(), 'epoch') - interval '5 minutes'
            + make_interval(secs => :seconds), now()
    RETURNING id)
INSERT INTO message_count (app_id, message_id, state, recipients)
SELECT :app_id, id, 'accepted', :sent FROM made
"""
_BUCKET = """
INSERT INTO delivery_bucket (app_id, at, state, recipients)
SELECT :app_id, date_bin('10 seconds', now(), 'epoch') - interval '4 minutes', 'accepted', :sent
"""


@pytest.mark.usefixtures("credentials")
def test_the_platforms_speed_is_that_of_the_fastest_large_campaign(
    doors: Doors, app: AppDoors
) -> None:
    def known() -> tuple[float, bool]:
        found = forecast(app)["assumptions"]
        return found["platform_per_second"], found["platform_is_measured"]

    def run(sql: str, **values: Any) -> None:
        with doors.services.engine.begin() as connection:
            connection.execute(text(sql), {"app_id": app.inner_id, **values})

    app.register()
    seen = [known()]
    run(_PAST, sent=9_999, rate=None, seconds=1)
    run(_PAST, sent=90_000, rate=900.0, seconds=100)
    seen.append(known())
    run(_PAST, sent=100_000, rate=None, seconds=100)
    seen.append(known())
    # The best ten seconds of that campaign.
    run(_BUCKET, sent=25_000)
    seen.append(known())

    assert seen == [(5_000.0, False), (5_000.0, False), (1_000.0, True), (2_500.0, True)]


def test_an_audience_nobody_can_be_sent_to_takes_no_time(app: AppDoors) -> None:
    app.add_person("ada")

    found = forecast(app)

    assert (found["recipients"], found["sendable"], found["credentials"]) == (1, 0, [])
    assert (found["seconds"], found["limited_by"]) == (0.0, None)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"to": {}}, "/to"),
        ({"to": {"people": ["nobody"]}}, "/to/people/0"),
        ({"rate_per_second": 0}, "/rate_per_second"),
        ({"quota_per_minute": 0}, "/quota_per_minute"),
        ({"lane": "fast"}, "/lane"),
        ({"send_at": "tomorrow"}, "/send_at"),
        ({"content": {"title": "Hello"}}, "/content"),
    ],
)
def test_what_can_not_be_forecast_is_pointed_at(
    app: AppDoors, fields: dict[str, Any], pointer: str
) -> None:
    answer = ask(app, **{"to": EVERYBODY, **fields})

    assert pointer in pointers(problem(answer, 422, "invalid_payload"))


def test_it_needs_the_scope_of_sending(doors: Doors, app: AppDoors) -> None:
    reader = doors.new_key(app.inner_id, "server", ["messages:read"])
    body = {"to": EVERYBODY}

    answer = doors.client.post("/v1/messages/forecast", headers=reader, json=body)

    problem(answer, 403, "forbidden_scope")
