"""The token endpoint on the wire: what it signs off and what it refuses."""

import time
from typing import Any

import pytest

from delivery.sandbox.credentials import make_service_account
from tests.fixtures.sandbox import PROJECT, Sandbox, assertion_for

NOW = int(time.time())


def test_a_signed_assertion_gets_a_token(sandbox: Sandbox) -> None:
    answer = sandbox.ask_token(assertion_for(sandbox.account))

    assert answer.status_code == 200
    assert answer.json() == {
        "access_token": answer.json()["access_token"],
        "expires_in": 3599,
        "token_type": "Bearer",
    }
    assert sandbox.control.stats()["oauth_calls"] == 1


def test_its_own_address_is_a_good_audience(sandbox: Sandbox) -> None:
    answer = sandbox.ask_token(assertion_for(sandbox.account, aud=sandbox.address.token_uri))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"aud": "https://example.com/token"}, "invalid_grant"),
        ({"iss": "somebody@else"}, "invalid_grant"),
        ({"iat": NOW - 9000, "exp": NOW - 5400}, "invalid_grant"),
        ({"iat": NOW + 3000, "exp": NOW + 6000}, "invalid_grant"),
        ({"exp": NOW + 90_000}, "invalid_grant"),
        ({"iat": None}, "invalid_grant"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_a_wrong_claim_is_refused(sandbox: Sandbox, claims: dict[str, Any], error: str) -> None:
    answer = sandbox.ask_token(assertion_for(sandbox.account, **claims))

    assert answer.status_code == 400
    assert answer.json()["error"] == error


def test_an_unknown_key_is_refused(sandbox: Sandbox) -> None:
    stranger = make_service_account(PROJECT, sandbox.address.token_uri)

    answer = sandbox.ask_token(assertion_for(stranger))

    assert answer.json()["error"] == "invalid_grant"


def test_a_wrong_signature_is_refused(sandbox: Sandbox) -> None:
    other = make_service_account(PROJECT, sandbox.address.token_uri)
    forged = {**other, "private_key_id": sandbox.account["private_key_id"]}

    answer = sandbox.ask_token(assertion_for(forged))

    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("data", [{}, {"grant_type": "password"}])
def test_another_grant_type_is_refused(sandbox: Sandbox, data: dict[str, str]) -> None:
    answer = sandbox.http.post(sandbox.address.token_uri, data=data)

    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(
    ("failure", "status", "error"),
    [("unavailable", 503, "temporarily_unavailable"), ("invalid_grant", 400, "invalid_grant")],
)
def test_the_endpoint_fails_on_demand(
    sandbox: Sandbox, failure: str, status: int, error: str
) -> None:
    sandbox.control.profile(oauth_failure=failure)

    answer = sandbox.ask_token(assertion_for(sandbox.account))

    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_token_ends_after_its_time(sandbox: Sandbox) -> None:
    sandbox.control.profile(oauth_expires_in=5)
    bearer = sandbox.access_token()
    assert sandbox.push_fcm(fcm_plain(), bearer=bearer).status_code == 200

    sandbox.control.profile(clock_offset_seconds=6)

    assert sandbox.push_fcm(fcm_plain(), bearer=bearer).status_code == 401


def test_tokens_are_revoked_early_on_demand(sandbox: Sandbox) -> None:
    bearer = sandbox.access_token()

    assert sandbox.control.revoke_access_tokens() >= 1

    answer = sandbox.push_fcm(fcm_plain(), bearer=bearer)
    assert answer.status_code == 401
    assert "details" not in answer.json()["error"]


def fcm_plain() -> str:
    return "dGhpcyBpcyBhIHBsYWluIA:APA91bHun4MxP5egoKMwt2KZFBaFUH"
