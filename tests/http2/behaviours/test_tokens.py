"""Verdicts about tokens, and tokens of odd forms: behaviours 39, 40, 42 and 43."""

import time

import pytest

from delivery.outcome import Accepted, Gone, Rejected
from delivery.sandbox.tokens import fcm_fid
from tests.http2.behaviours.gateways import Gateways


def test_a_verdict_carries_the_moment_of_apple_in_milliseconds(gateways: Gateways) -> None:
    apns = gateways.apns()
    before_ms = int(time.time() * 1_000)

    (now,) = gateways.send(apns, 1, "gone")
    (past,) = gateways.send(apns, 1, "gone_before")
    (undated,) = gateways.send(apns, 1, "gone_undated")

    assert isinstance(now, Gone)
    assert now.at_ms is not None
    assert before_ms <= now.at_ms <= time.time() * 1_000
    assert past == Gone("unregistered", 1_000_000_000_000)
    assert undated == Gone("unregistered")


def test_tokens_that_end_mid_run_are_told_from_those_that_live(gateways: Gateways) -> None:
    for sender in (gateways.apns(), gateways.fcm()):
        dead, alive = gateways.tokens(sender, 10, "gone"), gateways.tokens(sender, 30)
        mixed = [token for pair in zip(dead, alive[:10], strict=True) for token in pair]

        outcomes = dict(zip([*mixed, *alive[10:]], sender.send([*mixed, *alive[10:]]), strict=True))

        assert {type(outcomes[token]) for token in dead} == {Gone}
        assert {type(outcomes[token]) for token in alive} == {Accepted}
    gateways.judge()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gone", Gone),
        ("not_registered", Gone),
        ("ios_token_disabled", Gone),
        ("malformed", Rejected),
        ("invalid_argument", Rejected),
        ("sender_id_mismatch", Rejected),
    ],
)
def test_every_word_of_fcm_about_a_token_has_its_outcome(
    name: str, kind: type, gateways: Gateways
) -> None:
    (outcome,) = gateways.send(gateways.fcm(), 1, name)

    assert isinstance(outcome, kind)
    if isinstance(outcome, Rejected):
        assert outcome.suspect


@pytest.mark.parametrize("length", [32, 80, 100, 200])
def test_device_tokens_of_any_length_arrive_as_they_are(length: int, gateways: Gateways) -> None:
    token = "c7" * length

    outcomes = gateways.apns().send([token])

    assert isinstance(outcomes[0], Accepted)
    assert [entry.token for entry in gateways.pushes()] == [token]


def test_installation_ids_and_tokens_with_colons_arrive_as_they_are(gateways: Gateways) -> None:
    fcm = gateways.fcm()
    fid, token = fcm_fid("accepted", 1), fcm.mint("accepted", 2)

    outcomes = [*fcm.send([fid], kind="fid"), *fcm.send([token])]

    assert all(isinstance(one, Accepted) for one in outcomes)
    assert (len(fid), ":" in token) == (22, True)
    assert [entry.token for entry in gateways.pushes()] == [fid, token]


@pytest.mark.parametrize("token", ["ab/../cd", "ab?x=1#y", "%2e%2e", "ü€🎉", "a b"])
def test_a_token_can_not_leave_its_place_in_the_path(token: str, gateways: Gateways) -> None:
    outcomes = gateways.apns().send([token])

    (entry,) = gateways.pushes()
    assert isinstance(outcomes[0], Rejected)
    assert entry.path.startswith("/3/device/")
    assert entry.path.count("/") == 3
    assert entry.token == token


def test_a_token_in_upper_case_reaches_the_same_device(gateways: Gateways) -> None:
    apns = gateways.apns()
    (token,) = gateways.tokens(apns, 1, "gone")

    lower, upper = apns.send([token])[0], apns.send([token.upper()])[0]

    assert isinstance(lower, Gone)
    assert isinstance(upper, Gone)
