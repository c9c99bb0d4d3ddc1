"""FCM beyond what every provider promises: access tokens, projects, installation ids."""

import socket
from threading import Barrier, Thread

import pytest
from cryptography.fernet import Fernet

from core.secrets import SecretBox
from delivery.outcome import Accepted, Outcome, Paused, Retry, Scope
from delivery.providers.registry import Endpoints, Providers
from delivery.providers.token_cache import RedisTokenCache
from delivery.sandbox.credentials import make_service_account
from delivery.sandbox.tokens import fcm_fid
from delivery.transport import Transport
from delivery.transports import TransportKind, open_transport
from tests.delivery.gathering import drain
from tests.delivery.providers.senders import Sender, credential, fcm_sender
from tests.fixtures.sandbox import PROJECT, Sandbox


def oauth_calls(sandbox: Sandbox) -> int:
    return int(sandbox.control.stats()["oauth_calls"])


def test_an_installation_id_reaches_its_device(fcm: Sender, sandbox: Sandbox) -> None:
    fid = fcm_fid("accepted", 1)

    outcomes = fcm.send([fid], kind="fid")

    assert isinstance(outcomes[0], Accepted)
    assert [token for token, _ in sandbox.control.accepted()] == [fid]


def test_the_first_pushes_wait_for_one_access_token(fcm: Sender, sandbox: Sandbox) -> None:
    windows = [
        fcm.start([fcm.mint("accepted", 100 * window + number) for number in range(100)])
        for window in range(5)
    ]

    drain(fcm.transport)

    assert all(isinstance(outcome, Accepted) for window in windows for _, outcome in window)
    assert oauth_calls(sandbox) == 1


def test_credentials_of_one_account_share_its_token(
    fcm: Sender, providers: Providers, sandbox: Sandbox
) -> None:
    again = credential("fcm", "service_account", dict(sandbox.account), 8)
    other = Sender(providers.for_credential(again, 1), fcm.transport, fcm.mint, fcm.template)

    assert isinstance(fcm.send_one(), Accepted)
    assert isinstance(other.send_one(), Accepted)
    assert oauth_calls(sandbox) == 1


def test_a_withdrawn_access_token_is_renewed_once(fcm: Sender, sandbox: Sandbox) -> None:
    fcm.send_one()
    sandbox.control.revoke_access_tokens()
    tokens = [fcm.mint("accepted", number) for number in range(200)]

    outcomes = fcm.send(tokens)

    assert all(isinstance(one, Accepted) for one in outcomes)
    assert oauth_calls(sandbox) == 2


def test_a_second_refusal_of_the_token_stops_the_credential(fcm: Sender, sandbox: Sandbox) -> None:
    outcome = fcm.send_one("unauthenticated")

    assert isinstance(outcome, Paused)
    assert outcome.reason == "unauthenticated"
    assert outcome.platforms == ()
    assert oauth_calls(sandbox) == 2


def test_a_key_revoked_with_its_tokens_stops_the_credential(fcm: Sender, sandbox: Sandbox) -> None:
    fcm.send_one()
    sandbox.control.revoke(sandbox.account["private_key_id"])
    sandbox.control.revoke_access_tokens()

    outcomes = fcm.send([fcm.mint("accepted", number) for number in range(20)])

    assert [one.reason for one in outcomes if isinstance(one, Paused)] == [
        "oauth_invalid_grant"
    ] * 20
    assert oauth_calls(sandbox) == 2


def test_a_bad_key_of_apple_stops_only_apple_and_renews_nothing(
    fcm: Sender, sandbox: Sandbox
) -> None:
    outcome = fcm.send_one("third_party_auth_error")

    assert isinstance(outcome, Paused)
    assert outcome.platforms == ("ios", "web")
    assert oauth_calls(sandbox) == 1


def test_a_revoked_key_stops_the_credential_in_words(fcm: Sender, sandbox: Sandbox) -> None:
    sandbox.control.revoke(sandbox.account["private_key_id"])

    outcome = fcm.send_one()

    assert isinstance(outcome, Paused)
    assert outcome.reason == "oauth_invalid_grant"
    assert "Check that its key exists" in outcome.words


def test_a_key_of_ones_own_making_gets_nobody_elses_token(
    fcm: Sender, providers: Providers, sandbox: Sandbox
) -> None:
    fcm.send_one()
    forged = make_service_account(PROJECT, sandbox.address.token_uri)
    named = {**sandbox.account, "private_key": forged["private_key"]}
    provider = providers.for_credential(credential("fcm", "service_account", named, 9), 1)
    thief = Sender(provider, fcm.transport, fcm.mint, fcm.template)

    outcome = thief.send_one()

    assert isinstance(outcome, Paused)
    assert outcome.reason == "oauth_invalid_grant"


def test_an_overloaded_token_endpoint_delays_the_project(fcm: Sender, sandbox: Sandbox) -> None:
    sandbox.control.profile(oauth_failure="unavailable")

    outcomes = [fcm.send_one() for _ in range(3)]

    expected = Retry("oauth_unavailable", Scope.PROJECT, 10.0, counts=False)
    assert outcomes == [expected] * 3
    assert oauth_calls(sandbox) == 1


def test_a_token_endpoint_that_refuses_connections_delays_the_project(
    transport: Transport, endpoints: Endpoints, sandbox: Sandbox
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening: it refuses
        uri = f"https://127.0.0.1:{bound.getsockname()[1]}/token"
        account = {**sandbox.account, "token_uri": uri}
        providers = Providers(transport, endpoints)
        provider = providers.for_credential(credential("fcm", "service_account", account), 1)
        fcm = fcm_sender(providers, transport, sandbox)
        sender = Sender(provider, transport, fcm.mint, fcm.template)

        outcome = sender.send_one()

    assert outcome == Retry("oauth_unavailable", Scope.PROJECT, 10.0, counts=False)


def test_pushes_do_not_outwait_their_time_for_a_token(fcm: Sender, sandbox: Sandbox) -> None:
    sandbox.control.profile(oauth_delay_seconds=0.4)

    outcome = fcm.send_one(seconds=0.1)

    assert outcome == Retry("oauth_unavailable", Scope.PROJECT, counts=False)
    assert not list(sandbox.control.accepted())


def test_a_short_lived_token_is_used_and_renewed(fcm: Sender, sandbox: Sandbox) -> None:
    sandbox.control.profile(oauth_expires_in=5)

    outcomes = [fcm.send_one() for _ in range(3)]

    assert all(isinstance(one, Accepted) for one in outcomes)
    assert oauth_calls(sandbox) == 1


def test_workers_of_a_cluster_fetch_one_token_between_them(
    endpoints: Endpoints,
    sandbox: Sandbox,
    redis_url: str,
    redis_prefix: str,
    transport_kind: TransportKind,
) -> None:
    sandbox.control.profile(oauth_delay_seconds=0.3)
    box = SecretBox([Fernet.generate_key().decode()])
    start, outcomes = Barrier(4), list[Outcome]()

    def work() -> None:
        transport = open_transport(transport_kind, sandbox.address.ca)
        cache = RedisTokenCache.open(redis_url, box, prefix=redis_prefix)
        sender = fcm_sender(Providers(transport, endpoints, cache), transport, sandbox)
        start.wait()
        outcomes.append(sender.send_one())
        transport.close()
        cache.close()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [type(one) for one in outcomes] == [Accepted] * 4
    # One fetches for all; who finds the cache too slow to answer would fetch for itself.
    assert oauth_calls(sandbox) < 4


def test_without_redis_a_worker_helps_itself(
    transport: Transport, endpoints: Endpoints, sandbox: Sandbox
) -> None:
    box = SecretBox([Fernet.generate_key().decode()])
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        cache = RedisTokenCache.open(f"redis://127.0.0.1:{bound.getsockname()[1]}", box)
        providers = Providers(transport, endpoints, cache)

        outcome = fcm_sender(providers, transport, sandbox).send_one()
        cache.close()

    assert isinstance(outcome, Accepted)


@pytest.mark.parametrize("name", ["project_not_found", "service_disabled"])
def test_a_fault_of_the_project_stops_the_credential(fcm: Sender, name: str) -> None:
    outcome = fcm.send_one(name)

    assert isinstance(outcome, Paused)
    assert outcome.reason == name
