"""Both gateways on the wire, over HTTP/2 and TLS, against a running sandbox."""

import re
import time
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from delivery.sandbox.credentials import make_apns_key, make_service_account
from delivery.sandbox.outcomes import OUTCOMES
from delivery.sandbox.reasons import REASONS, outcome_name
from delivery.sandbox.tokens import apns_token, fcm_fid, fcm_token
from tests.fixtures.sandbox import PROJECT, TOPIC, Sandbox, assertion_for

APNS_ID = "0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10"
FAULTS = sorted(
    name
    for name, one in OUTCOMES.items()
    if one.fault is not None and not one.once and one.raw is None
)


def test_apns_accepts_with_an_empty_answer_that_echoes_the_id(sandbox: Sandbox) -> None:
    answer = sandbox.push_apns(apns_token("accepted", 1), apns_id=APNS_ID)

    assert (answer.http_version, answer.status_code, answer.content) == ("HTTP/2", 200, b"")
    assert answer.headers["apns-id"] == APNS_ID
    assert "apns-unique-id" not in answer.headers
    assert list(sandbox.control.accepted()) == [(apns_token("accepted", 1), APNS_ID)]


def test_apns_makes_an_id_when_the_sender_gave_none(sandbox: Sandbox) -> None:
    answer = sandbox.push_apns(apns_token("accepted", 1))

    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.headers["apns-id"])


def test_a_development_key_gets_a_unique_id(sandbox: Sandbox) -> None:
    sandbox.control.register_apns_key(sandbox.key, TOPIC, environment="development")

    answer = sandbox.push_apns(apns_token("accepted", 1), apns_id=APNS_ID)

    assert answer.headers["apns-unique-id"] not in ("", APNS_ID)


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_apns_reason_can_be_had(sandbox: Sandbox, reason: str) -> None:
    before = int(time.time() * 1000)

    answer = sandbox.push_apns(apns_token(outcome_name(reason), 1), apns_id=APNS_ID)

    assert answer.status_code == REASONS[reason]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["apns-id"] == APNS_ID
    body = answer.json()
    assert body.pop("reason") == reason
    if answer.status_code == 410:
        assert before <= body.pop("timestamp") <= int(time.time() * 1000)
    assert body == {}
    assert sandbox.control.answers() == {("apns", REASONS[reason], reason): 1}


@pytest.mark.parametrize(
    ("outcome", "body"),
    [
        ("gone_before", {"reason": "Unregistered", "timestamp": 1_000_000_000_000}),
        ("gone_undated", {"reason": "Unregistered"}),
    ],
)
def test_a_410_may_be_old_or_undated(sandbox: Sandbox, outcome: str, body: Any) -> None:
    assert sandbox.push_apns(apns_token(outcome, 1)).json() == body


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"authorization": ""}, "MissingProviderToken"),
        ({"authorization": "bearer nonsense"}, "InvalidProviderToken"),
        ({"apns_topic": "com.other.app"}, "TopicDisallowed"),
        ({"apns_topic": ""}, "MissingTopic"),
        ({"apns_priority": "7"}, "BadPriority"),
    ],
)
def test_apns_checks_a_request(sandbox: Sandbox, headers: dict[str, str], reason: str) -> None:
    answer = sandbox.push_apns(apns_token("accepted", 1), **headers)

    assert (answer.status_code, answer.json()) == (REASONS[reason], {"reason": reason})
    assert sandbox.control.stats()["accepted"] == 0


def test_apns_refuses_a_header_that_comes_twice(sandbox: Sandbox) -> None:
    bearer = f"bearer {sandbox.provider_token()}"
    headers = [("authorization", bearer), ("apns-topic", TOPIC), ("apns-topic", TOPIC)]

    url = f"{sandbox.address.url}/3/device/{apns_token('accepted', 1)}"
    answer = sandbox.http.post(url, headers=headers, json={"aps": {}})

    assert answer.json() == {"reason": "DuplicateHeaders"}


def test_apns_refuses_an_expired_token_by_its_own_clock(sandbox: Sandbox) -> None:
    bearer = f"bearer {sandbox.provider_token()}"
    sandbox.control.profile(clock_offset_seconds=3700)

    answer = sandbox.push_apns(apns_token("accepted", 1), authorization=bearer)

    assert answer.json() == {"reason": "ExpiredProviderToken"}


def test_a_wedged_connection_stays_expired(sandbox: Sandbox) -> None:
    sandbox.control.profile(wedge_after_expired=True)
    now = int(time.time())
    old = f"bearer {sandbox.provider_token(iat=now - 4000)}"
    assert sandbox.push_apns(apns_token("accepted", 1), authorization=old).status_code == 403

    answer = sandbox.push_apns(apns_token("accepted", 1))

    assert answer.json() == {"reason": "ExpiredProviderToken"}


def test_apns_limits_token_updates_on_a_connection(sandbox: Sandbox) -> None:
    now = int(time.time())
    token = apns_token("accepted", 1)
    assert sandbox.push_apns(token).status_code == 200

    fresh = f"bearer {sandbox.provider_token(iat=now - 60)}"
    assert sandbox.push_apns(token, authorization=fresh).json() == {
        "reason": "TooManyProviderTokenUpdates"
    }


def test_apns_binds_a_connection_to_its_key(sandbox: Sandbox) -> None:
    second = make_apns_key(sandbox.key.team_id)
    sandbox.control.register_apns_key(second, TOPIC)
    other = replace(sandbox, key=second, _signed="")
    assert sandbox.push_apns(apns_token("accepted", 1)).status_code == 200

    answer = other.push_apns(apns_token("accepted", 2))

    assert answer.json() == {"reason": "UnrelatedKeyIdInToken"}


def test_a_revoked_key_is_invalid_from_then_on(sandbox: Sandbox) -> None:
    assert sandbox.push_apns(apns_token("accepted", 1)).status_code == 200
    sandbox.control.revoke(sandbox.key.key_id)

    answer = sandbox.push_apns(apns_token("accepted", 2))

    assert answer.json() == {"reason": "InvalidProviderToken"}


@pytest.mark.parametrize(
    ("outcome", "retry_after"),
    [("throttled_once", "10"), ("throttled_once_bare", None), ("throttled_once_date", "date")],
)
def test_a_push_is_throttled_once_on_both(
    sandbox: Sandbox, outcome: str, retry_after: str | None
) -> None:
    apns, fcm = apns_token(outcome, 1), fcm_token(outcome, 1)
    first = [sandbox.push_apns(apns, apns_id=APNS_ID), sandbox.push_fcm(fcm)]
    second = [sandbox.push_apns(apns, apns_id=APNS_ID), sandbox.push_fcm(fcm)]

    assert [answer.status_code for answer in first + second] == [429, 429, 200, 200]
    for answer in first:
        header = answer.headers.get("retry-after")
        if retry_after == "date":
            assert 5 < parsedate_to_datetime(header).timestamp() - time.time() < 11
        else:
            assert header == retry_after
    assert sandbox.control.stats()["duplicates"] == 0


def test_fcm_accepts_and_names_the_message(sandbox: Sandbox) -> None:
    answer = sandbox.push_fcm(fcm_token("accepted", 1), "m-7")

    assert answer.status_code == 200
    assert answer.json()["name"].startswith(f"projects/{PROJECT}/messages/0:")
    assert list(sandbox.control.accepted("m-7")) == [(fcm_token("accepted", 1), "m-7")]
    assert list(sandbox.control.accepted("m-8")) == []


@pytest.mark.parametrize("outcome", FAULTS)
def test_every_fcm_fault_can_be_had(sandbox: Sandbox, outcome: str) -> None:
    fault = OUTCOMES[outcome].fault
    assert fault is not None

    answer = sandbox.push_fcm(fcm_token(outcome, 1))

    assert answer.status_code == fault.status
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    error = answer.json()["error"]
    assert error["code"] == fault.status
    assert (error["status"], error["message"]) == (fault.canonical, fault.message)
    assert error.get("details", []) == list(fault.details)


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        ("bad_gateway", 502, b"<html><h1>502 Bad Gateway</h1></html>"),
        ("gateway_timeout", 504, b""),
        ("empty_error", 500, b""),
        ("empty_refusal", 400, b""),
        ("not_json_refusal", 400, b"Bad Request"),
        ("unknown_reason", 400, b'{"reason":"NeverSeenBefore","x":1}'),
        ("not_json_success", 200, b"OK"),
    ],
)
def test_bodies_that_are_no_answer(
    sandbox: Sandbox, outcome: str, status: int, body: bytes
) -> None:
    apns = sandbox.push_apns(apns_token(outcome, 1))
    fcm = sandbox.push_fcm(fcm_fid(outcome, 1) + ":APA91b" + outcome + "-filler")

    assert (apns.status_code, apns.content) == (fcm.status_code, fcm.content) == (status, body)


def test_fcm_validates_without_sending(sandbox: Sandbox) -> None:
    message = {"token": fcm_token("gone", 1)}

    answer = sandbox.post_fcm({"message": message, "validate_only": True})

    assert answer.json() == {"name": f"projects/{PROJECT}/messages/fake_message_id"}
    stats = sandbox.control.stats()
    assert (stats["accepted"], stats["validated"]) == (0, 1)


def test_fcm_without_a_good_access_token_is_401_without_details(sandbox: Sandbox) -> None:
    answer = sandbox.push_fcm(fcm_token("accepted", 1), bearer="unknown")

    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (401, "UNAUTHENTICATED")
    assert "details" not in error


def test_fcm_knows_no_unknown_project(sandbox: Sandbox) -> None:
    answer = sandbox.post_fcm({"message": {}}, project="nowhere")

    assert answer.status_code == 404
    assert "details" not in answer.json()["error"]


def test_fcm_refuses_the_token_of_another_project(sandbox: Sandbox) -> None:
    other = make_service_account("other-project", sandbox.address.token_uri)
    sandbox.control.register_service_account(other)

    answer = sandbox.post_fcm({"message": {}}, project="other-project")

    assert answer.status_code == 403
    assert answer.json()["error"]["details"][0]["reason"] == "IAM_PERMISSION_DENIED"


def test_fcm_refuses_a_token_of_another_scope(sandbox: Sandbox) -> None:
    scope = "https://www.googleapis.com/auth/devstorage.read_write"
    granted = sandbox.ask_token(assertion_for(sandbox.account, scope=scope))

    answer = sandbox.push_fcm(fcm_token("accepted", 1), bearer=granted.json()["access_token"])

    assert answer.status_code == 403
    assert answer.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


def test_fcm_holds_a_project_to_its_quota(sandbox: Sandbox) -> None:
    sandbox.control.profile(fcm_quota_per_minute=2)
    bearer = sandbox.access_token()

    answers = [sandbox.push_fcm(fcm_token("accepted", n), bearer=bearer) for n in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 50 <= int(answers[2].headers["retry-after"]) <= 60
    assert answers[2].json()["error"]["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("outcome", "reason", "form"),
    [
        ("rate_limit_exceeded", "RATE_LIMIT_EXCEEDED", "seconds"),
        ("rate_limit_exceeded_bare", "RATE_LIMIT_EXCEEDED", ""),
        ("quota_exceeded", "QUOTA_EXCEEDED", "seconds"),
        ("quota_exceeded_date", "QUOTA_EXCEEDED", "date"),
        ("quota_exceeded_bare", "QUOTA_EXCEEDED", ""),
    ],
)
def test_a_spent_quota_is_told_as_the_profile_says(
    sandbox: Sandbox, outcome: str, reason: str, form: str
) -> None:
    sandbox.control.profile(
        fcm_quota_per_minute=2, fcm_quota_window_seconds=30, fcm_quota_outcome=outcome
    )
    bearer = sandbox.access_token()

    answers = [sandbox.push_fcm(fcm_token("accepted", n), bearer=bearer) for n in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert sandbox.control.answers()["fcm", 429, reason] == 1
    told = answers[2].headers.get("retry-after")
    if form == "date":
        left = parsedate_to_datetime(told).timestamp() - time.time()
        assert 27 <= left <= 31
    else:
        assert told is None if not form else 28 <= int(told) <= 30


def test_a_device_beyond_its_limit_is_refused_alone(sandbox: Sandbox) -> None:
    sandbox.control.profile(fcm_device_per_minute=2)
    bearer, hot = sandbox.access_token(), fcm_token("accepted", 1)

    answers = [sandbox.push_fcm(hot, f"m-{n}", bearer) for n in range(3)]
    other = sandbox.push_fcm(fcm_token("accepted", 2), bearer=bearer)

    assert [answer.status_code for answer in (*answers, other)] == [200, 200, 429, 200]
    assert "device" in answers[2].text.lower()


def test_collapsible_messages_beyond_the_budget_are_taken_and_counted(sandbox: Sandbox) -> None:
    bearer, token = sandbox.access_token(), fcm_token("accepted", 1)
    message = {"token": token, "android": {"collapse_key": "score"}}

    answers = [sandbox.post_fcm({"message": message}, bearer) for _ in range(23)]
    plain = [sandbox.push_fcm(token, f"m-{n}", bearer) for n in range(5)]

    assert {answer.status_code for answer in (*answers, *plain)} == {200}
    assert sandbox.control.stats()["collapsible_delayed"] == 3


def test_a_connection_of_many_errors_is_slowed_and_given_up(sandbox: Sandbox) -> None:
    sandbox.control.profile(patience=10, slow_seconds=0.3)
    dead, bad = apns_token("gone", 1), apns_token("bad_device_token", 1)

    statuses = [sandbox.push_apns(dead).status_code for _ in range(30)]
    quick = [sandbox.push_apns(bad) for _ in range(2)]
    slow = [sandbox.push_apns(bad) for _ in range(3)]
    given_up = sandbox.push_apns(apns_token("accepted", 1))

    assert set(statuses) == {410}
    assert {answer.status_code for answer in (*quick, *slow)} == {400}
    assert all(answer.elapsed.total_seconds() < 0.25 for answer in quick)
    assert all(answer.elapsed.total_seconds() >= 0.3 for answer in slow)
    assert (given_up.status_code, given_up.json()) == (503, {"reason": "Shutdown"})
    assert sandbox.control.stats()["accepted"] == 0
