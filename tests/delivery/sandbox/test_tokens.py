"""Tokens carry their outcome through both shapes, and plain tokens none."""

import re

import pytest

from delivery.sandbox.outcomes import BY_CODE, OUTCOMES
from delivery.sandbox.reasons import REASONS, outcome_name
from delivery.sandbox.tokens import (
    UnknownOutcomeError,
    apns_outcome,
    apns_token,
    fcm_fid,
    fcm_outcome,
    fcm_token,
)

APNS = sorted(name for name, one in OUTCOMES.items() if one.fits("apns"))
FCM = sorted(name for name, one in OUTCOMES.items() if one.fits("fcm"))


@pytest.mark.parametrize("name", APNS)
def test_an_apns_token_carries_its_outcome(name: str) -> None:
    token = apns_token(name, 7)

    assert re.fullmatch(r"[0-9a-f]{64}", token)
    assert apns_outcome(token).name == name


@pytest.mark.parametrize("name", FCM)
def test_fcm_targets_carry_their_outcome(name: str) -> None:
    token, fid = fcm_token(name, 7), fcm_fid(name, 7)

    assert re.fullmatch(r"[cdef][A-Za-z0-9_-]{21}", fid)
    assert re.fullmatch(re.escape(fid) + r":APA91b[A-Za-z0-9_-]{100,}", token)
    assert fcm_outcome(token).name == fcm_outcome(fid).name == name


def test_codes_are_unique() -> None:
    assert len(BY_CODE) == len(OUTCOMES)


def test_every_apns_reason_is_an_outcome() -> None:
    for reason in REASONS:
        assert OUTCOMES[outcome_name(reason)].reason == reason


def test_serials_make_tokens_distinct() -> None:
    many = range(1000)

    assert len({apns_token("accepted", serial) for serial in many}) == 1000
    assert len({fcm_token("accepted", serial) for serial in many}) == 1000


@pytest.mark.parametrize("token", ["0a" * 32, "5a4db0c5ff" + "0" * 54])
def test_a_plain_apns_token_is_accepted(token: str) -> None:
    assert apns_outcome(token).name == "accepted"


@pytest.mark.parametrize(
    "target",
    [
        "dGhpcyBpcyBhIHBsYWluIA:APA91bHun4MxP5egoKMwt2KZFBaFUH",
        "dGhpcyBpcyBhIHBsYWluIA",
        "cSbxzz0000000000000001",
        "cSbxff0000000000000001",
    ],
)
def test_a_plain_fcm_target_is_accepted(target: str) -> None:
    assert fcm_outcome(target).name == "accepted"


@pytest.mark.parametrize(
    ("name", "provider"), [("nothing", "apns"), ("sender_id_mismatch", "apns"), ("", "fcm")]
)
def test_an_outcome_that_does_not_exist_is_refused(name: str, provider: str) -> None:
    mint = apns_token if provider == "apns" else fcm_token

    with pytest.raises(UnknownOutcomeError, match=provider):
        mint(name, 1)
