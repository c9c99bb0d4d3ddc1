"""Streams and connections that break: behaviours 9 to 11."""

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bench.faults.connection import FaultConnection
from bench.faults.request import FaultRequest
from bench.faults.script import Script, accept
from delivery.engine.verdict import Attempt, decide
from delivery.http2 import line
from delivery.outcome import Retry, Scope, Unknown
from delivery.retry import RetryRules
from delivery.transport import Ambiguous, Answer, NotProcessed
from tests.delivery.gathering import drain, pump_until
from tests.http2.behaviours.conftest import Serve
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.gateways import Gateways
from tests.http2.behaviours.scripts import CANCEL, INTERNAL, REFUSED, Holding

SendTo = Callable[..., Sending]
Act = Callable[[FaultRequest], object]


def reset(code: int) -> Act:
    return lambda request: request.reset(code)


def test_resets_end_only_their_own_streams_and_say_what_they_mean(
    serve: Serve, send_to: SendTo
) -> None:
    draws = random.Random(9)
    acts: list[Act] = [accept, FaultRequest.refuse, reset(CANCEL), reset(INTERNAL)]

    def answer(request: FaultRequest) -> None:
        draws.choice(acts)(request)

    server = serve(Script(arrived=answer))
    sending = send_to(server)

    sending.send(200)

    said = {"200": Answer, "reset 7": NotProcessed, "reset 8": Ambiguous, "reset 2": Ambiguous}
    for entry in server.record.requests:
        assert isinstance(sending.result(entry.token), said[entry.answer])
    assert set(server.record.answers) == said.keys()
    assert {one.fault for one in sending.has(NotProcessed)} == {"refused"}
    assert len(server.record.connections) == 1


@pytest.mark.parametrize("code", [REFUSED, CANCEL, INTERNAL])
def test_a_reset_before_the_whole_push_was_written_means_not_processed(
    code: int, serve: Serve, send_to: SendTo
) -> None:
    server = serve(Script(opened=_small_window, began=reset(code)))
    sending = send_to(server)

    sending.send(5, size=4_000)

    assert len(sending.has(NotProcessed)) == 5
    assert not any(entry.arrived_at for entry in server.record.requests)


def _small_window(connection: FaultConnection) -> None:
    connection.replenishes = False
    connection.settings({4: 1_000})


def test_a_reset_behind_a_whole_answer_takes_nothing_back(serve: Serve, send_to: SendTo) -> None:
    def answer_early(request: FaultRequest) -> None:
        request.head(413)
        request.data(b'{"reason":"PayloadTooLarge"}', last=True)
        request.connection.write_raw(_rst(request.stream, 0))

    server = serve(Script(opened=_small_window, began=answer_early))
    sending = send_to(server)

    sending.send(5, size=4_000)

    assert [one.status for one in sending.has(Answer)] == [413] * 5


def _rst(stream: int, code: int) -> bytes:
    return b"\0\0\4\3\0" + stream.to_bytes(4, "big") + code.to_bytes(4, "big")


def test_an_answer_cut_off_by_a_reset_is_no_refusal(serve: Serve, send_to: SendTo) -> None:
    def answer(request: FaultRequest) -> None:
        request.head(500)
        request.reset(CANCEL)

    server = serve(Script(arrived=answer))
    sending = send_to(server)
    sending.submit(3)
    drain(sending.transport)

    assert not sending.has(NotProcessed)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Retry("stream_refused", Scope.CONNECTION, counts=False), REFUSED),
        (Unknown("connection_lost"), CANCEL),
        (Unknown("connection_lost"), INTERNAL),
    ],
)
def test_only_a_refusal_is_free_to_be_sent_again(
    outcome: object, code: int, gateways: Gateways
) -> None:
    apns = gateways.apns()
    act = FaultRequest.refuse if code == REFUSED else reset(code)
    gateways.act(Script(arrived=act))

    outcomes = gateways.send(apns, 3)

    # What was refused is not processed, so the provider may try a few times at once.
    assert outcomes == [outcome] * 3
    assert len(gateways.pushes()) <= 3 * (4 if code == REFUSED else 1)


def attempt(*, at_least_once: bool) -> Attempt:
    sent_at = datetime(2026, 11, 22, tzinfo=UTC)
    return Attempt(0, 1, 1, 0.0, sent_at, 3_600.0, at_least_once)


@pytest.mark.parametrize("moment", ["headers", "body", "answer"])
def test_a_lost_connection_doubles_nothing_and_leaves_the_doubt_to_the_policy(
    moment: str, serve: Serve, send_to: SendTo
) -> None:
    def at_the_tenth(request: FaultRequest) -> None:
        if request.ordinal == 9:
            request.connection.reset()
        elif moment == "body":
            accept(request)

    if moment == "headers":
        server = serve(Script(began=at_the_tenth))
    else:
        server = serve(Script(arrived=at_the_tenth))
    sending = send_to(server)

    sending.send(20)

    processed = [entry for entry in server.record.requests if entry.processed]
    lost = [entry for entry in processed if not entry.answer]
    assert all(isinstance(sending.result(entry.token), Ambiguous) for entry in lost)
    assert len(server.record.connections) == 1
    if moment == "answer":
        assert sending.has(Answer) == []
        assert len(lost) == 10


def test_doubt_is_final_at_most_once_and_a_repeat_at_least_once(gateways: Gateways) -> None:
    apns = gateways.apns()
    gateways.send(apns, 1)
    gateways.act(Script(arrived=lambda request: request.connection.reset()))

    (outcome,) = gateways.send(apns, 1)

    rules = RetryRules(10.0, 3_600.0, 8)
    assert outcome == Unknown("connection_lost")
    once = decide(outcome, attempt(at_least_once=False), rules, 0.5)
    again = decide(outcome, attempt(at_least_once=True), rules, 0.5)
    assert once.end is not None
    assert once.end.state == "unknown"
    assert again.retry is not None
    assert again.retry.attempt == 2


def test_a_connection_lost_under_load_keeps_the_books(serve: Serve, send_to: SendTo) -> None:
    def answer(request: FaultRequest) -> None:
        if request.ordinal == 60:
            request.connection.reset()
        else:
            accept(request)

    server = serve(Script(arrived=answer))
    sending = send_to(server)

    for _ in range(8):
        sending.submit(50)
        sending.transport.pump(0.01)
    sending.settle()

    assert len(sending.results()) == 400
    assert len(server.record.connections) > 1


def test_a_black_hole_ends_pushes_in_their_time(serve: Serve, send_to: SendTo) -> None:
    holding = Holding()
    server = serve()
    sending = send_to(server)
    sending.send(3)
    server.script = Script(arrived=holding)

    server.each(lambda connection: connection.line.stall())
    sending.send(5, seconds=0.5)

    assert sending.has(Ambiguous) == [Ambiguous("timeout")] * 5


def test_a_hole_that_swallows_whole_windows_leaves_what_was_not_written_unsent(
    serve: Serve, send_to: SendTo
) -> None:
    server = serve()
    sending = send_to(server, connections=1)
    sending.send(1)

    server.each(lambda connection: connection.line.stall())
    # Where pushes are made slowly, the last ones outlive the connection: a new one would take them.
    server.refuse_connections()
    sending.send(400, seconds=0.8, size=4_000)

    assert len(sending.has(Answer)) == 1
    assert len(sending.has(NotProcessed)) > 300
    assert {one.fault for one in sending.has(NotProcessed)} <= {"connect", "unsent"}


def test_pushes_do_not_follow_others_into_a_long_silence(
    serve: Serve, send_to: SendTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "_SILENCE_SECONDS", 0.3)
    server = serve()
    sending = send_to(server)
    sending.send(3)
    server.each(lambda connection: connection.line.stall())
    sending.submit(5, seconds=0.6)
    sending.pump_until(lambda: len(sending.results()) == 8)

    sending.send(5, seconds=3)

    assert len(sending.has(Ambiguous)) == 5
    assert len(sending.has(Answer)) == 8
    assert len(server.record.connections) == 2


def test_silence_is_noticed_by_a_ping_without_an_answer(
    serve: Serve, send_to: SendTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "_SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(line, "_PATIENCE_SECONDS", 0.3)
    server = serve()
    sending = send_to(server)
    sending.send(3)

    server.each(lambda connection: connection.line.stall())
    sending.submit(5, seconds=60)
    sending.settle(5)

    assert len(sending.has(Ambiguous)) == 5


def test_slow_but_living_gateways_are_left_alone(
    serve: Serve, send_to: SendTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "_SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(line, "_PATIENCE_SECONDS", 0.2)
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    sending.submit(5)
    sending.pump_until(holding.holds(5))

    sending.pump_until(lambda: bool(server.record.connections[0].pings))
    sending.server.call(lambda: server.loop.later(0.6, holding.release()))
    sending.settle()

    assert len(sending.has(Answer)) == 5
    assert len(server.record.connections[0].pings) == 1


def test_a_hole_is_doubt_for_the_provider(gateways: Gateways) -> None:
    apns = gateways.apns()
    gateways.send(apns, 1)
    gateways.server.each(lambda connection: connection.line.stall())

    gathered = apns.start(gateways.tokens(apns, 3), seconds=0.4)
    pump_until(gateways.transport, lambda: len(gathered) == 3)

    assert [outcome for _, outcome in gathered] == [Unknown("timeout")] * 3
