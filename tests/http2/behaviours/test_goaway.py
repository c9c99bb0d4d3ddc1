"""Goodbyes of the gateway: behaviours 6 to 8 and 12."""

import threading
from collections.abc import Callable

import pytest

from bench.faults.connection import FaultConnection
from bench.faults.request import FaultRequest
from bench.faults.script import Script, greet
from delivery.outcome import Accepted, Paused, Unknown
from delivery.transport import Ambiguous, Answer, NotProcessed
from tests.delivery.gathering import drain, pump_until
from tests.http2.behaviours.conftest import Serve
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.gateways import Gateways
from tests.http2.behaviours.scripts import CALM, NO_LAST_STREAM, Holding, after, goaway

SendTo = Callable[..., Sending]


def test_a_graceful_goodbye_loses_and_doubles_nothing(serve: Serve, send_to: SendTo) -> None:
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    before = sending.submit(10)
    sending.pump_until(holding.holds(10))
    server.each(goaway(NO_LAST_STREAM))
    sending.transport.pump(0.05)

    later = sending.submit(5)
    sending.pump_until(holding.holds(15))
    server.call(lambda: goaway(None)(server.connections[0]))
    server.call(holding.release())
    sending.settle()

    assert len(sending.has(Answer)) == 15
    assert {sending.entry(token).connection for token in before} == {0}
    assert {sending.entry(token).connection for token in later} == {1}
    sending.pump_until(lambda: server.record.connections[0].closed_by == "client")


def test_graceful_goodbyes_under_load_leave_no_doubt(serve: Serve, send_to: SendTo) -> None:
    def finish(connection: FaultConnection) -> None:
        goaway(None)(connection)
        connection.loop.later(0.1, connection.close)

    def answer(request: FaultRequest) -> None:
        after(0.01)(request)
        connection = server.connections[request.connection.number]
        if request.ordinal == 100 and not connection.entry.goaways:
            goaway(NO_LAST_STREAM)(connection)
            connection.loop.later(0.05, lambda: finish(connection))

    server = serve(Script(opened=greet(50), arrived=answer))
    sending = send_to(server)

    for _ in range(5):
        sending.send(100)

    assert sending.has(Ambiguous) == []
    assert {one.fault for one in sending.has(NotProcessed)} <= {"refused"}
    assert len(sending.has(Answer)) > 400
    assert len(server.record.connections) > 1


@pytest.mark.parametrize("last_ordinal", [None, 9, 19])
def test_a_goodbye_and_a_close_divide_the_pushes_exactly(
    last_ordinal: int | None, serve: Serve, send_to: SendTo
) -> None:
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    tokens = sending.submit(20)
    sending.pump_until(holding.holds(20))
    answered = 0 if last_ordinal is None else 5
    last = 0 if last_ordinal is None else 2 * last_ordinal + 1

    def part() -> None:
        connection = server.connections[0]
        holding.release(answered)()
        goaway(last)(connection)
        connection.close()

    server.call(part)
    sending.settle()

    processed = 0 if last_ordinal is None else last_ordinal + 1
    kinds = [type(sending.result(token)) for token in tokens]
    doubt = processed - answered
    assert kinds == [Answer] * answered + [Ambiguous] * doubt + [NotProcessed] * (20 - processed)
    assert {one.fault for one in sending.has(NotProcessed)} <= {"refused"}


def test_what_a_goodbye_left_over_is_sent_again_by_the_sender_alone(
    serve: Serve, send_to: SendTo
) -> None:
    holding = Holding()
    server = serve()
    sending = send_to(server)
    sending.send(1)
    server.script = Script(arrived=holding)
    sending.submit(10)
    sending.pump_until(holding.holds(10))

    server.script = Script()
    server.each(goaway(1))
    server.each(FaultConnection.close)
    sending.settle()
    sending.send(10)

    assert len(sending.has(NotProcessed)) == 10
    assert len(sending.has(Answer)) == 11
    assert server.record.began == 21


@pytest.mark.parametrize("last", [0, 19])
def test_a_goodbye_decides_between_a_free_retry_and_doubt(last: int, gateways: Gateways) -> None:
    apns, holding = gateways.apns(), Holding()
    gateways.send(apns, 1)
    gateways.act(Script(arrived=holding))
    gathered = apns.start(gateways.tokens(apns, 12))
    pump_until(gateways.transport, holding.holds(12))

    gateways.act(Script(arrived=gateways.rules.answer))
    gateways.server.each(goaway(last))
    gateways.server.each(FaultConnection.close)
    drain(gateways.transport)

    doubt = max(0, (last + 1) // 2 - 1)
    outcomes = [outcome for _, outcome in gathered]
    assert outcomes.count(Unknown("connection_lost")) == doubt
    assert len([one for one in outcomes if isinstance(one, Accepted)]) == 12 - doubt
    assert len(gateways.pushes()) == 13 + 12 - doubt
    gateways.judge()


WORDS = [b'{"reason":"BadCertificateEnvironment"}', b'{"reason":"Shutdown"}', b"session_timed_out"]


@pytest.mark.parametrize("words", [*WORDS, b'{"reason":"IdleTimeout"}', b""])
def test_the_words_of_a_goodbye_reach_the_sender(
    words: bytes, serve: Serve, send_to: SendTo
) -> None:
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    sending.submit(4)
    sending.pump_until(holding.holds(4))

    server.each(goaway(3, debug=words))
    server.each(FaultConnection.close)
    sending.settle()

    assert [one.debug for one in sending.has(Ambiguous)] == [words] * 2
    assert [one.debug for one in sending.has(NotProcessed)] == [words] * 2


def goodbye_at_once(words: bytes) -> Callable[[FaultConnection], None]:
    def opened(connection: FaultConnection) -> None:
        connection.settings({})
        connection.goaway(0, 0, words)
        connection.close()

    return opened


@pytest.mark.parametrize("words", WORDS)
def test_a_goodbye_to_a_fresh_connection_is_told_with_its_words(
    words: bytes, serve: Serve, send_to: SendTo
) -> None:
    server = serve(Script(opened=goodbye_at_once(words)))
    sending = send_to(server)

    sending.send(5, seconds=3)

    assert len(sending.has(NotProcessed)) == 5
    assert {one.debug for one in sending.has(NotProcessed)} == {words}


@pytest.mark.parametrize("opening", ["at once", "after the first push"])
def test_a_goodbye_over_the_certificate_stops_the_credential(
    opening: str, gateways: Gateways
) -> None:
    apns = gateways.apns()
    words = b'{"reason":"BadCertificateEnvironment"}'
    if opening == "at once":
        gateways.act(Script(opened=goodbye_at_once(words)))
    else:
        gateways.act(Script(arrived=lambda request: request.connection.goaway(0, 0, words)))

    outcome = apns.send(gateways.tokens(apns, 1))[0]

    assert isinstance(outcome, Paused)
    assert outcome.reason == "bad_certificate_environment"


def test_a_goodbye_for_a_shutdown_stops_nothing(gateways: Gateways) -> None:
    apns = gateways.apns()
    gateways.send(apns, 1)

    def answer(request: FaultRequest) -> None:
        if request.connection.number == 0:
            request.connection.goaway(1, 0, b'{"reason":"Shutdown"}')
        else:
            gateways.rules.answer(request)

    gateways.act(Script(arrived=answer))

    outcomes = gateways.send(apns, 5)

    assert all(isinstance(one, Accepted) for one in outcomes)
    assert {entry.connection for entry in gateways.pushes()} == {0, 1}


@pytest.mark.parametrize("goodbye", ["FIN", "session_timed_out"])
def test_an_idle_connection_that_the_gateway_closed_costs_no_push(
    goodbye: str, serve: Serve, send_to: SendTo
) -> None:
    server = serve()
    sending = send_to(server)
    sending.send(5)
    idle = threading.Event()

    def part(connection: FaultConnection) -> None:
        if goodbye != "FIN":
            goaway(None, 0, goodbye.encode())(connection)
        connection.close()
        connection.loop.later(0.1, idle.set)

    server.each(part)
    assert idle.wait(30)
    sending.send(5)

    assert len(sending.has(Answer)) == 10
    assert len(server.record.connections) == 2


def test_a_quiet_connection_is_not_pestered_with_pings(serve: Serve, send_to: SendTo) -> None:
    def police(connection: FaultConnection) -> None:
        if len(connection.entry.pings) > 1:
            goaway(None, CALM, b"too_many_pings")(connection)
            connection.close()

    server = serve(Script(arrived=after(1.0), pinged=police))
    sending = send_to(server)

    sending.send(5)

    assert len(sending.has(Answer)) == 5
    assert server.record.connections[0].goaways == []


def test_being_told_to_calm_down_is_survived(serve: Serve, send_to: SendTo) -> None:
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    sending.submit(6)
    sending.pump_until(holding.holds(6))

    server.script = Script()
    server.each(goaway(5, CALM, b"too_many_pings"))
    server.call(holding.release(3))
    sending.settle()
    sending.send(4)

    assert len(sending.has(Answer)) == 7
    assert {one.debug for one in sending.has(NotProcessed)} == {b"too_many_pings"}
