"""What every provider promises, on the sandbox gateways, over each transport."""

import socket
from collections.abc import Callable

import pytest

from delivery.outcome import Accepted, Gone, Paused, Rejected, Retry, Scope, Unknown
from delivery.providers.registry import Endpoints, Providers
from delivery.push import Encoded
from delivery.transport import Transport
from delivery.transports import TransportKind, open_transport
from tests.delivery.gathering import drain, pump_until
from tests.delivery.providers.senders import Sender, apns_sender, certificate_sender, fcm_sender
from tests.fixtures.sandbox import Sandbox

Maker = Callable[[Providers, Transport, Sandbox], Sender]
MAKERS: list[Maker] = [fcm_sender, apns_sender, certificate_sender]


def test_every_push_is_accepted_once(sender: Sender, sandbox: Sandbox) -> None:
    tokens = [sender.mint("accepted", number) for number in range(300)]

    outcomes = sender.send(tokens)

    assert all(isinstance(one, Accepted) and one.gateway_id for one in outcomes)
    assert sorted(token for token, _ in sandbox.control.accepted()) == sorted(tokens)


def test_the_gateway_learns_the_id_of_the_push(sender: Sender, sandbox: Sandbox) -> None:
    gathered: list[Encoded] = []
    encoded = sender.encode(sender.mint("accepted", 1))

    sender.provider.send([encoded], 10, lambda one, _: gathered.append(one))
    drain(sender.transport)

    assert gathered == [encoded]
    accepted = list(sandbox.control.accepted(encoded.push.id))
    assert accepted == [(encoded.push.token, encoded.push.id)]


def test_one_bad_device_does_not_disturb_the_others(sender: Sender) -> None:
    names = ["accepted", "gone", "malformed", "bad_gateway", "server_error", "accepted"]

    outcomes = sender.send([sender.mint(name, number) for number, name in enumerate(names)])

    kinds = [type(one) for one in outcomes]
    assert kinds == [Accepted, Gone, Rejected, Unknown, Retry, Accepted]
    assert isinstance(outcomes[2], Rejected)
    assert outcomes[2].suspect


def test_retry_after_reaches_the_engine(sender: Sender) -> None:
    outcome = sender.send_one("throttled")

    assert isinstance(outcome, Retry)
    assert outcome.after_seconds == 10.0
    assert outcome.counts


@pytest.mark.parametrize("name", ["hang", "accepted_unanswered"])
def test_silence_is_unknown(sender: Sender, name: str) -> None:
    # Its connection is made before: what makes one too slowly was never written, and is retried.
    assert isinstance(sender.send_one(), Accepted)
    assert sender.send_one(name, seconds=0.5) == Unknown("timeout")


def test_a_garbled_success_is_unknown(sender: Sender) -> None:
    assert sender.send_one("not_json_success") == Unknown("unreadable_answer")


@pytest.mark.parametrize("make", MAKERS)
def test_a_gateway_that_refuses_connections_costs_no_attempt(
    make: Maker, transport: Transport, sandbox: Sandbox
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening: it refuses
        url = f"https://127.0.0.1:{bound.getsockname()[1]}"
        sender = make(Providers(transport, Endpoints(url, url, url)), transport, sandbox)

        outcome = sender.send_one()

    assert outcome == Retry("gateway_unreachable", Scope.CONNECTION, counts=False)


@pytest.mark.parametrize("make", MAKERS)
def test_a_gateway_of_another_authority_stops_the_credential(
    make: Maker, endpoints: Endpoints, sandbox: Sandbox, transport_kind: TransportKind
) -> None:
    transport = open_transport(transport_kind, None)
    sender = make(Providers(transport, endpoints), transport, sandbox)

    outcome = sender.send_one()

    assert isinstance(outcome, Paused)
    assert outcome.reason == "gateway_not_trusted"
    assert sandbox.control.stats()["requests"] == 0
    transport.close()


def test_closing_the_transport_reports_what_is_under_way(sender: Sender, sandbox: Sandbox) -> None:
    sender.send_one()
    seen = sandbox.control.stats()["requests"]
    gathered = sender.start([sender.mint("hang", 1), sender.mint("hang", 2)], 60)
    pump_until(sender.transport, lambda: sandbox.control.stats()["requests"] == seen + 2)

    sender.transport.close()

    assert [outcome for _, outcome in gathered] == [Unknown("connection_lost")] * 2


def test_nothing_is_written_after_its_time(sender: Sender, sandbox: Sandbox) -> None:
    gathered = sender.start([sender.mint("accepted", 1)], 0.0)

    drain(sender.transport)

    assert [type(outcome) for _, outcome in gathered] == [Retry]
    assert not list(sandbox.control.accepted())
