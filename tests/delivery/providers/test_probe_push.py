"""What a probe sends can reach nobody, and its answer says whether the credential works."""

import json

import pytest

from delivery.outcome import Accepted, Gone, Outcome, Paused, Rejected, Retry, Scope, Unknown
from delivery.providers.probe_push import apns_probe, fcm_probe, verdict

REFUSED = Paused("forbidden", "Apple forbids this.")


def test_fcm_only_validates_and_for_nobody() -> None:
    probe = fcm_probe("corner-shop")

    assert probe.path == "/v1/projects/corner-shop/messages:send"
    body = json.loads(probe.body)
    assert body["validate_only"] is True
    assert set(body["message"]) == {"topic", "data"}


def test_apns_gets_a_token_that_is_nobodys_and_a_push_without_text() -> None:
    probe = apns_probe("com.example.shop")

    assert probe.path == "/3/device/carillon-probe"
    assert json.loads(probe.body) == {"aps": {"content-available": 1}}
    assert dict(probe.headers)["apns-push-type"] == "background"
    assert dict(probe.headers)["apns-topic"] == "com.example.shop"
    assert dict(probe.varying)["apns-expiration"] == "0"


def test_a_certificate_may_have_no_topic() -> None:
    assert "apns-topic" not in dict(apns_probe(None).headers)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Accepted("x"), True),
        (Rejected("bad_device_token", suspect=True), True),
        (Rejected("invalid_argument"), True),
        (Paused("third_party_auth_error", "", platforms=("ios",)), True),
        (REFUSED, REFUSED),
        (Rejected("bad_path"), None),
        (Rejected("apns_418"), None),
        (Gone("unregistered"), None),
        (Retry("gateway_unreachable", Scope.CONNECTION, counts=False), None),
        (Retry("quota_exceeded", Scope.PROJECT, 60.0), None),
        (Unknown("timeout"), None),
    ],
)
def test_what_an_answer_says_of_the_credential(outcome: Outcome, expected: object) -> None:
    assert verdict(outcome) == expected


@pytest.mark.parametrize("reason", ["expired_provider_token", "unrelated_key_id_in_token"])
def test_what_a_new_connection_would_cure_is_refused_on_one(reason: str) -> None:
    said = verdict(Retry(reason, Scope.CONNECTION))

    assert isinstance(said, Paused)
    assert said.reason == reason
