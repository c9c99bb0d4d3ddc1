"""APNs beyond what every provider promises: keys, connections, topics."""

from pathlib import Path

from delivery.outcome import Accepted, Gone, Paused, Rejected, Retry, Scope
from delivery.providers.registry import Endpoints, Providers
from delivery.push import Notification
from delivery.sandbox.credentials import make_apns_key
from delivery.sdk.transport import SdkTransport
from delivery.transport import Transport
from tests.delivery.gathering import pump_until
from tests.delivery.providers.senders import Sender, certificate_sender, credential
from tests.fixtures.sandbox import TOPIC, Sandbox


def forced(sandbox: Sandbox, outcome: str) -> None:
    """Make the gateway give every push this outcome."""
    sandbox.control.profile(forced=[{"provider": "apns", "outcome": outcome}])


def connections(sandbox: Sandbox) -> int:
    return int(sandbox.control.stats()["connections"])


def test_a_verdict_comes_with_its_moment(apns: Sender) -> None:
    assert apns.send_one("gone_before") == Gone("unregistered", 1_000_000_000_000)
    assert apns.send_one("gone_undated") == Gone("unregistered", None)


def test_every_kind_of_push_is_taken_as_encoded(apns: Sender, sandbox: Sandbox) -> None:
    live = Notification(extra={"timestamp": 1, "event": "update", "content-state": {}})
    pushes = [
        ("alert", Notification(title="T")),
        ("alert", Notification(silent=True)),
        ("voip", Notification(title="T")),
        ("live_activity", live),
    ]

    for number, (kind, notification) in enumerate(pushes):
        token = apns.mint("accepted", number)
        outcome = apns.send([token], kind=kind, notification=notification)[0]
        assert isinstance(outcome, Accepted), (kind, outcome)


def test_a_revoked_key_stops_the_credential_in_words(apns: Sender, sandbox: Sandbox) -> None:
    apns.send_one()
    sandbox.control.revoke(sandbox.key.key_id)

    outcome = apns.send_one()

    assert outcome == Paused(
        "invalid_provider_token",
        "Apple refuses the signing key (InvalidProviderToken): check key id, team id and .p8 file.",
    )


def test_a_foreign_key_stops_the_credential(
    providers: Providers, apns: Sender, transport: Transport
) -> None:
    key = make_apns_key()
    secret = {"p8": key.p8, "key_id": key.key_id, "team_id": key.team_id}
    provider = providers.for_credential(credential("apns", "token", secret, 5), 1)

    outcome = Sender(provider, transport, apns.mint, apns.template).send_one()

    assert isinstance(outcome, Paused)
    assert outcome.reason == "invalid_provider_token"


def test_teams_never_meet_on_a_connection(
    providers: Providers, apns: Sender, transport: Transport, sandbox: Sandbox
) -> None:
    key = make_apns_key()
    sandbox.control.register_apns_key(key, TOPIC)
    secret = {"p8": key.p8, "key_id": key.key_id, "team_id": key.team_id}
    provider = providers.for_credential(credential("apns", "token", secret, 5), 1)
    other = Sender(provider, transport, apns.mint, apns.template)

    outcomes = [apns.send_one(), other.send_one(), apns.send_one(), other.send_one()]

    assert all(isinstance(one, Accepted) for one in outcomes)


def test_a_clock_gone_wrong_is_tried_on_a_new_connection_then_named(
    apns: Sender, sandbox: Sandbox
) -> None:
    sandbox.control.profile(clock_offset_seconds=7_200.0)

    first, second = apns.send_one(), apns.send_one()

    assert first == Retry("expired_provider_token", Scope.CONNECTION)
    assert isinstance(second, Paused)
    assert "clock" in second.words


def test_a_connection_that_apple_gives_up_is_replaced(apns: Sender, sandbox: Sandbox) -> None:
    apns.send_one()
    before = connections(sandbox)
    forced(sandbox, "shutdown")

    outcome = apns.send_one()
    sandbox.control.default_profile()

    assert outcome == Retry("shutdown", Scope.CONNECTION)
    assert isinstance(apns.send_one(), Accepted)
    assert connections(sandbox) == before + 1


def test_faults_far_apart_are_each_tried_on_a_new_connection(
    apns: Sender, sandbox: Sandbox
) -> None:
    for _ in range(3):
        forced(sandbox, "expired_provider_token")
        assert isinstance(apns.send_one(), Retry)
        sandbox.control.default_profile()
        assert isinstance(apns.send_one(), Accepted)


def test_an_answer_over_an_old_connection_proves_nothing_of_the_new(
    apns: Sender, sandbox: Sandbox
) -> None:
    sandbox.control.profile(slow_seconds=0.3)
    late = apns.start([apns.mint("slow", 1)])
    pump_until(apns.transport, lambda: sandbox.control.stats()["requests"] == 1)
    forced(sandbox, "expired_provider_token")

    first = apns.send_one()
    second = apns.send_one()

    assert isinstance(late[0][1], Accepted)
    assert (type(first), type(second)) == (Retry, Paused)


def test_a_window_of_one_fault_changes_the_connection_once(apns: Sender, sandbox: Sandbox) -> None:
    apns.send_one()
    forced(sandbox, "expired_provider_token")

    outcomes = apns.send([apns.mint("accepted", number) for number in range(50)])
    before = connections(sandbox)
    sandbox.control.default_profile()

    # Over how many connections a window goes is up to an SDK: ten at most over aioapns.
    assert before <= 10
    assert all(isinstance(one, Retry) for one in outcomes)
    assert isinstance(apns.send_one(), Accepted)
    # Over aioapns no change at all was seen once, beside much other work: it is at most one.
    least = 0 if isinstance(apns.transport, SdkTransport) else 1
    assert least <= connections(sandbox) - before <= 1


def test_a_wrong_topic_of_the_credential_stops_it(
    providers: Providers, apns: Sender, sandbox: Sandbox
) -> None:
    sandbox.control.revoke(sandbox.key.key_id)
    sandbox.control.register_apns_key(sandbox.key, "com.example.other")

    outcome = apns.send_one()

    assert isinstance(outcome, Paused)
    assert outcome.reason == "topic_disallowed"


def test_a_wrong_topic_of_one_device_stops_nobody_else(apns: Sender) -> None:
    outcome = apns.send_one(topic="com.example.evil")

    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.suspect) == ("topic_disallowed", True)


def test_the_environment_chooses_the_gateway(
    transport: Transport, sandbox: Sandbox, apns: Sender
) -> None:
    url, key = sandbox.address.url, sandbox.key
    nowhere = "https://127.0.0.1:1"
    secret = {"p8": key.p8, "key_id": key.key_id, "team_id": key.team_id}
    made = credential("apns", "token", secret, 6)

    production = Providers(transport, Endpoints(nowhere, url, nowhere)).for_credential(made, 1)
    other = Providers(transport, Endpoints(nowhere, nowhere, url)).for_credential(made, 2)

    assert isinstance(Sender(production, transport, apns.mint, apns.template).send_one(), Accepted)
    assert isinstance(Sender(other, transport, apns.mint, apns.template).send_one(), Retry)


def test_a_certificate_for_another_topic_stops_the_credential(
    providers: Providers, transport: Transport, sandbox: Sandbox
) -> None:
    sender = certificate_sender(providers, transport, sandbox)

    outcome = sender.send_one(topic="com.example.evil")

    assert isinstance(outcome, Rejected)
    assert outcome.suspect


def test_secrets_stay_out_of_what_is_printed(tmp_path: Path, apns: Sender) -> None:
    key = make_apns_key()
    made = credential("apns", "token", {"p8": key.p8})

    assert key.p8 not in repr(made)
