"""Taking back pushes that wait: for a connection, a stream or a token; the server is the judge."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.faults.connection import FaultConnection
from bench.faults.gateway import GatewayRules
from bench.faults.script import Script, greet, ignore
from bench.faults.server import serving
from delivery.outcome import Accepted, Outcome, Withdrawn
from delivery.push import Encoded
from delivery.sandbox.credentials import make_apns_key, make_service_account
from tests.delivery.gathering import drain, pump_until
from tests.delivery.providers.senders import Sender
from tests.http2.behaviours.gateways import PROJECT, Gateways
from tests.http2.behaviours.scripts import Holding, limit
from tests.http2.behaviours.transports import MAKERS

_PUSHES = 40


@pytest.fixture
def gateways(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateways]:
    """Providers on our own transport, or on the one that a parameter names."""
    rules = GatewayRules(tmp_path / "gateway")
    script = Script(arrived=rules.answer, opened=greet(100))
    with serving(tmp_path / "authority", script) as server:
        transport = MAKERS[getattr(request, "param", "http2")](server.ca)
        account = make_service_account(PROJECT, f"{server.url}/token")
        yield Gateways(server, rules, transport, make_apns_key(), account)
        transport.close()
    rules.close()


class Sent:
    """One send of a provider: whom it tells, and what it told."""

    def __init__(self, gateways: Gateways, sender: Sender, number: int = _PUSHES) -> None:
        self.outcomes: list[Outcome] = []
        self.sender = sender
        self.tokens = gateways.tokens(sender, number)
        sender.provider.send([sender.encode(token) for token in self.tokens], 10.0, self.report)

    def report(self, _push: Encoded, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def withdraw(self) -> None:
        self.sender.provider.withdraw(self.report)

    def waits(self) -> bool:
        return self.report in self.sender.provider.unwritten()


def arrived(gateways: Gateways, sent: Sent) -> int:
    return sum(entry.token in set(sent.tokens) for entry in gateways.pushes())


# aioapns opens streams before it knows how many it may: of docs/reference/transports.md.
@pytest.mark.parametrize(
    ("gateways", "name"),
    [("http2", "apns"), ("http2", "fcm"), ("sdk", "fcm")],
    indirect=["gateways"],
)
def test_who_waits_for_a_stream_is_taken_back_and_nobody_else(
    gateways: Gateways, name: str
) -> None:
    sender = getattr(gateways, name)()
    gateways.send(sender, 1)
    holding = Holding()
    gateways.act(Script(arrived=holding, opened=greet(1)))
    gateways.server.each(limit(1))
    first = Sent(gateways, sender, 1)
    pump_until(sender.transport, holding.holds(1))
    stopped, other = Sent(gateways, sender), Sent(gateways, sender)
    pump_until(sender.transport, stopped.waits)

    stopped.withdraw()
    pump_until(sender.transport, lambda: len(stopped.outcomes) == _PUSHES)
    gateways.act(Script(arrived=gateways.rules.answer, opened=greet(100)))
    gateways.server.each(limit(100))
    gateways.server.call(holding.release(act=gateways.rules.answer))
    drain(sender.transport)
    gateways.judge()

    assert stopped.outcomes == [Withdrawn()] * _PUSHES
    assert arrived(gateways, stopped) == 0
    assert [type(one) for one in first.outcomes + other.outcomes] == [Accepted] * (_PUSHES + 1)
    assert not other.waits()


@pytest.mark.parametrize("opening", ["no settings", "no streams"])
def test_who_waits_for_a_connection_is_taken_back(gateways: Gateways, opening: str) -> None:
    opened: Callable[[FaultConnection], object] = ignore if opening == "no settings" else greet(0)
    gateways.act(Script(arrived=gateways.rules.answer, opened=opened))
    sent = Sent(gateways, gateways.apns())
    entries = gateways.server.record.connections
    pump_until(gateways.transport, lambda: any(one.shaken_at for one in entries))

    sent.withdraw()
    drain(gateways.transport)
    gateways.server.each(lambda connection: connection.settings({3: 100}))
    again = gateways.send(sent.sender, 3)

    assert sent.outcomes == [Withdrawn()] * _PUSHES
    assert arrived(gateways, sent) == 0
    assert [type(one) for one in again] == [Accepted] * 3


@pytest.mark.parametrize("gateways", ["http2", "sdk"], indirect=True)
def test_who_waits_for_a_token_is_taken_back_and_the_token_serves_the_next(
    gateways: Gateways,
) -> None:
    asked, may_answer = threading.Event(), Holding()

    def arrived_at(request: object) -> None:
        asked.set()
        may_answer(request)  # type: ignore[arg-type]

    gateways.act(Script(arrived=arrived_at, opened=greet(100)))
    fcm = gateways.fcm()
    stopped, other = Sent(gateways, fcm), Sent(gateways, fcm)
    pump_until(fcm.transport, asked.is_set)
    waited = stopped.waits()

    stopped.withdraw()
    gateways.act(Script(arrived=gateways.rules.answer, opened=greet(100)))
    gateways.server.call(may_answer.release(act=gateways.rules.answer))
    drain(fcm.transport)
    gateways.judge()

    assert waited
    assert stopped.outcomes == [Withdrawn()] * _PUSHES
    assert arrived(gateways, stopped) == 0
    assert [type(one) for one in other.outcomes] == [Accepted] * _PUSHES
