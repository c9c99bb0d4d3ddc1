"""Credentials and time: behaviours 25 to 30."""

from collections.abc import Sequence
from dataclasses import replace

import jwt
import pytest

from core.clock import utc_now
from delivery.outcome import Accepted, Gone, Outcome, Paused, Retry, Scope
from delivery.providers.apns_outcome import classify
from delivery.sandbox.credentials import make_apns_key
from tests.http2.behaviours.gateways import Gateways, reasons


def all_accepted(outcomes: Sequence[Outcome]) -> bool:
    return bool(outcomes) and all(isinstance(one, Accepted) for one in outcomes)


def test_an_old_token_is_tried_on_a_new_connection_and_then_blamed_on_the_clock(
    gateways: Gateways,
) -> None:
    apns = gateways.apns()
    gateways.move_clock(-7_200)

    first, second = gateways.send(apns, 1), gateways.send(apns, 1)

    assert first == [Retry("expired_provider_token", Scope.CONNECTION)]
    assert isinstance(second[0], Paused)
    assert "clock" in second[0].words
    assert len({entry.connection for entry in gateways.pushes()}) == 2


def test_a_token_from_the_future_stops_the_credential(gateways: Gateways) -> None:
    gateways.move_clock(7_200 + 3_600)

    outcomes = gateways.send(gateways.apns(), 5)

    assert all(isinstance(one, Paused) for one in outcomes)
    assert reasons(outcomes) == {"invalid_provider_token"}


@pytest.mark.parametrize("fault", ["key id", "team", "key"])
def test_a_wrong_signing_key_stops_the_credential(fault: str, gateways: Gateways) -> None:
    other = make_apns_key()
    wrong = {
        "key id": replace(gateways.key, key_id=other.key_id),
        "team": replace(gateways.key, team_id=other.team_id),
        "key": replace(gateways.key, p8=other.p8),
    }

    outcomes = gateways.send(gateways.apns(wrong[fault]), 3)

    assert all(isinstance(one, Paused) for one in outcomes)
    assert reasons(outcomes) == {"invalid_provider_token"}


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_a_token_of_a_wrong_algorithm_is_a_fault_of_the_credential(
    algorithm: str, gateways: Gateways
) -> None:
    claims = {"iss": gateways.key.team_id, "iat": int(utc_now().timestamp())}
    secret = "s" * 32 if algorithm == "HS256" else ""
    token = jwt.encode(claims, secret, algorithm, {"kid": gateways.key.key_id})

    outcome = classify(gateways.ask(f"bearer {token}"), utc_now())

    assert isinstance(outcome, Paused)
    assert outcome.reason == "invalid_provider_token"


def test_teams_never_meet_on_a_connection(gateways: Gateways) -> None:
    other = make_apns_key()
    gateways.register(other)
    ours, theirs = gateways.apns(), gateways.apns(other, number=7)

    outcomes = [
        one for _ in range(3) for sender in (ours, theirs) for one in gateways.send(sender, 5)
    ]

    assert all_accepted(outcomes)
    seen = {(entry.connection, entry.headers["authorization"]) for entry in gateways.pushes()}
    assert len(seen) == 2
    assert len({connection for connection, _ in seen}) == 2


def test_a_second_team_on_one_connection_would_be_refused(gateways: Gateways) -> None:
    other = make_apns_key()
    gateways.register(other)

    first = gateways.ask(f"bearer {gateways.signed()}")
    second = gateways.ask(f"bearer {gateways.signed(other)}")

    assert (first.status, second.status) == (200, 403)


def test_a_renewed_token_goes_over_the_same_connection(gateways: Gateways) -> None:
    apns = gateways.apns()
    first = gateways.send(apns, 5)
    gateways.move_clock(2_460)
    gateways.change(clock_offset_seconds=2_460.0)

    second = gateways.send(apns, 5)

    assert all_accepted(first + second)
    assert len({entry.headers["authorization"] for entry in gateways.pushes()}) == 2
    assert len({entry.connection for entry in gateways.pushes()}) == 1


def test_two_tokens_within_twenty_minutes_cost_a_connection_not_the_credential(
    gateways: Gateways,
) -> None:
    now = int(utc_now().timestamp())
    gateways.ask(f"bearer {gateways.signed(iat=now - 300)}")

    answer = gateways.ask(f"bearer {gateways.signed(iat=now)}")

    expected = Retry("too_many_provider_token_updates", Scope.CONNECTION)
    assert classify(answer, utc_now()) == expected


def test_a_wedged_connection_is_left_behind(gateways: Gateways) -> None:
    apns = gateways.apns()
    gateways.send(apns, 3)
    gateways.change(wedge_after_expired=True, clock_offset_seconds=7_200.0)
    (refused,) = gateways.send(apns, 1)
    gateways.change(clock_offset_seconds=0.0)

    outcomes = gateways.send(apns, 20)

    assert refused == Retry("expired_provider_token", Scope.CONNECTION)
    assert all_accepted(outcomes)
    assert {entry.connection for entry in gateways.pushes()[-20:]} == {1}


def test_a_revoked_key_stops_the_credential_and_no_token(gateways: Gateways) -> None:
    apns = gateways.apns()
    gateways.send(apns, 3)
    registry = gateways.rules.gateway.registry

    def revoke() -> None:
        registry.remove(gateways.key.key_id)
        gateways.rules.gateway.provider_tokens.clear()

    gateways.server.call(revoke)
    stopped = gateways.send(apns, 20)
    gateways.register(gateways.key)
    resumed = gateways.send(apns, 5)

    assert all(isinstance(one, Paused) for one in stopped)
    assert not any(isinstance(one, Gone) for one in stopped)
    assert all_accepted(resumed)


def test_a_key_of_another_scope_gets_a_connection_of_its_own_and_then_stops(
    gateways: Gateways,
) -> None:
    apns = gateways.apns()
    gateways.send(apns, 1)
    gateways.force("apns", "unrelated_key_id_in_token")

    first, second = gateways.send(apns, 1), gateways.send(apns, 1)

    assert first == [Retry("unrelated_key_id_in_token", Scope.CONNECTION)]
    assert isinstance(second[0], Paused)
    assert [entry.connection for entry in gateways.pushes()] == [0, 0, 1]


@pytest.mark.parametrize(
    "spelling", ["bad_environment_key_in_token", "bad_environment_key_id_in_token"]
)
def test_a_key_of_the_other_environment_stops_the_credential(
    spelling: str, gateways: Gateways
) -> None:
    gateways.force("apns", spelling)

    (outcome,) = gateways.send(gateways.apns(), 1)

    assert isinstance(outcome, Paused)
    assert outcome.reason == spelling


def test_a_slow_token_endpoint_is_asked_once_by_all_who_wait(gateways: Gateways) -> None:
    gateways.change(oauth_delay_seconds=0.4)
    fcm = gateways.fcm()
    windows = [fcm.start(gateways.tokens(fcm, 60)) for _ in range(5)]

    last = gateways.send(fcm, 10)

    outcomes = [outcome for window in windows for _, outcome in window]
    assert len(outcomes) == 300
    assert all_accepted([*outcomes, *last])
    assert gateways.server.record.token_calls == 1


def test_a_token_endpoint_out_of_order_delays_the_project(gateways: Gateways) -> None:
    gateways.change(oauth_failure="unavailable")

    outcomes = gateways.send(gateways.fcm(), 20)

    assert set(outcomes) == {Retry("oauth_unavailable", Scope.PROJECT, 10.0, counts=False)}
    assert gateways.server.record.token_calls == 1
    assert gateways.pushes() == []


def test_an_invalid_grant_stops_the_credential(gateways: Gateways) -> None:
    gateways.change(oauth_failure="invalid_grant")

    outcomes = gateways.send(gateways.fcm(), 20)

    assert reasons(outcomes) == {"oauth_invalid_grant"}
    assert gateways.server.record.token_calls == 1


def test_a_token_of_five_seconds_is_used(gateways: Gateways) -> None:
    gateways.change(oauth_expires_in=5)
    fcm = gateways.fcm()

    outcomes = [one for _ in range(3) for one in gateways.send(fcm, 5)]

    assert all_accepted(outcomes)
    assert gateways.server.record.token_calls == 1


def test_a_token_withdrawn_early_is_renewed_once_over_the_same_connection(
    gateways: Gateways,
) -> None:
    fcm = gateways.fcm()
    gateways.send(fcm, 5)
    gateways.server.call(gateways.rules.gateway.access_tokens.revoke_all)

    outcomes = gateways.send(fcm, 80)

    assert all_accepted(outcomes)
    assert gateways.server.record.token_calls == 2
    assert len({entry.connection for entry in gateways.pushes()}) == 1


def test_a_clock_ten_minutes_behind_googles_works(gateways: Gateways) -> None:
    gateways.change(clock_offset_seconds=600.0)

    assert all_accepted(gateways.send(gateways.fcm(), 1))


def test_a_clock_ten_minutes_ahead_of_googles_is_named(gateways: Gateways) -> None:
    gateways.change(clock_offset_seconds=-600.0)

    (outcome,) = gateways.send(gateways.fcm(), 1)

    assert isinstance(outcome, Paused)
    assert "clock" in outcome.words


def test_a_bad_key_of_apple_leaves_android_alone(gateways: Gateways) -> None:
    fcm = gateways.fcm()
    ios = fcm.send(gateways.tokens(fcm, 10, "third_party_auth_error"), platform="ios")

    android = gateways.send(fcm, 10)

    assert all(isinstance(one, Paused) and one.platforms == ("ios", "web") for one in ios)
    assert all_accepted(android)
    assert len(gateways.pushes()) == 20
    assert gateways.server.record.token_calls == 1
