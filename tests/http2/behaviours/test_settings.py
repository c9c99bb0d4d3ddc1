"""Limits that the gateway sets: behaviours 1 to 5, 13 and 16."""

import threading
import time
from collections.abc import Callable

import pytest

from bench.faults.connection import FaultConnection
from bench.faults.request import FaultRequest
from bench.faults.script import (
    HEADER_TABLE_SIZE,
    MAX_HEADER_LIST_SIZE,
    Script,
    accept,
    greet,
    ignore,
)
from bench.faults.server import FaultServer
from delivery.outcome import Accepted
from delivery.transport import Answer, NotProcessed
from tests.deadlines import within
from tests.http2.behaviours.conftest import Serve
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.gateways import Gateways
from tests.http2.behaviours.scripts import MAX_CONCURRENT_STREAMS, Holding, after, limit

SendTo = Callable[..., Sending]


def acknowledged(server: FaultServer, number: int) -> Callable[[], bool]:
    """Ask whether the first connection has taken so many SETTINGS."""
    return lambda: server.record.connections[0].acknowledged >= number


def test_one_stream_is_open_until_the_gateway_allows_more(serve: Serve, send_to: SendTo) -> None:
    holding = Holding()
    server = serve(Script(opened=greet(1), arrived=holding))
    sending = send_to(server)
    sending.submit(40)
    sending.pump_until(holding.holds(1))

    began = server.record.began
    server.script = Script(opened=greet(1_000))
    server.each(limit(1_000))
    server.call(holding.release())
    sending.settle()

    assert began == 1
    assert len(sending.has(Answer)) == 40


def test_the_first_valid_token_opens_the_other_streams(gateways: Gateways) -> None:
    def answer(request: FaultRequest) -> None:
        gateways.rules.answer(request)
        if len(request.connection.entry.settings) == 1:
            request.connection.settings({MAX_CONCURRENT_STREAMS: 1_000})

    gateways.act(Script(opened=greet(1), arrived=answer))

    outcomes = gateways.send(gateways.apns(), 50)

    assert all(isinstance(one, Accepted) for one in outcomes)
    assert len(gateways.pushes()) == 50


def test_nothing_is_sent_before_the_first_settings(serve: Serve, send_to: SendTo) -> None:
    def opened(connection: FaultConnection) -> None:
        connection.loop.later(0.3, lambda: connection.settings({MAX_CONCURRENT_STREAMS: 5}))

    server = serve(Script(opened=opened))
    sending = send_to(server)

    sending.send(20)

    assert len(sending.has(Answer)) == 20
    assert not any(entry.before_settings for entry in server.record.requests)


def test_settings_that_never_come_end_the_push_in_its_time(serve: Serve, send_to: SendTo) -> None:
    server = serve(Script(opened=ignore))
    sending = send_to(server)

    sending.send(5, seconds=0.5)

    assert len(sending.has(NotProcessed)) == 5
    assert not server.record.requests


def test_a_limit_lowered_below_what_is_open_holds_new_streams_back(
    serve: Serve, send_to: SendTo
) -> None:
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    sending.submit(30)
    sending.pump_until(holding.holds(30))
    server.each(limit(1))
    sending.pump_until(acknowledged(server, 2))

    sending.submit(20)
    # Long enough for a pool that would answer a lowered limit with more connections.
    waited = threading.Event()
    server.call(lambda: server.loop.later(0.2, waited.set))
    sending.pump_until(waited.is_set)
    server.call(holding.release(29))
    sending.pump_until(lambda: len(sending.results()) == 29)
    began = server.record.began
    server.script = Script()
    server.call(holding.release())
    sending.pump_until(lambda: len(sending.results()) >= 35)
    server.each(limit(100))
    sending.settle()

    assert began == 30
    assert len(sending.has(Answer)) == 50
    assert len(server.record.connections) == 1


def test_a_limit_that_drops_at_each_refusal_is_followed(serve: Serve, send_to: SendTo) -> None:
    def answer(request: FaultRequest) -> None:
        bad = int(request.entry.token, 16) % 3 == 0
        if bad:
            request.refuse_push(400, "BadDeviceToken")
        else:
            request.accept()
        request.connection.settings({MAX_CONCURRENT_STREAMS: 1 if bad else 1_000})

    server = serve(Script(arrived=answer))
    sending = send_to(server)

    results = sending.send(300)

    assert {one.status for one in results if isinstance(one, Answer)} == {200, 400}
    assert len(sending.has(Answer)) == 300


def test_a_limit_of_nothing_is_waited_out_without_spinning(serve: Serve, send_to: SendTo) -> None:
    def opened(connection: FaultConnection) -> None:
        connection.settings({MAX_CONCURRENT_STREAMS: 0})
        connection.loop.later(3.0, lambda: connection.settings({MAX_CONCURRENT_STREAMS: 10}))

    server = serve(Script(opened=opened))
    sending = send_to(server)
    sending.submit(20)
    sending.pump_until(lambda: bool(server.record.connections))

    before = time.thread_time()
    sending.pump_until(lambda: server.record.began > 0)
    spent = time.thread_time() - before
    sending.settle()

    assert spent < within(0.3)
    assert len(sending.has(Answer)) == 20


def test_a_limit_that_stays_at_nothing_ends_the_push_unsent(serve: Serve, send_to: SendTo) -> None:
    server = serve(Script(opened=greet(0)))
    sending = send_to(server)

    sending.send(10, seconds=0.4)

    assert len(sending.has(NotProcessed)) == 10
    assert not server.record.requests


def test_a_gateway_that_ends_connections_of_too_many_streams_never_has_to(
    serve: Serve, send_to: SendTo
) -> None:
    def police(request: FaultRequest) -> None:
        if len(request.connection.requests) > 100:
            request.connection.goaway(0, 1, b"exceeded_max_concurrent_streams")
            request.connection.close()

    server = serve(Script(opened=greet(100), began=police, arrived=after(0.01)))
    sending = send_to(server)

    sending.send(800)

    assert len(sending.has(Answer)) == 800
    assert max(entry.peak for entry in server.record.connections) <= 100


def test_a_gateway_without_a_limit_of_streams_is_served(serve: Serve, send_to: SendTo) -> None:
    server = serve(Script(opened=lambda connection: connection.settings({})))
    sending = send_to(server)

    sending.send(200)

    assert len(sending.has(Answer)) == 200


@pytest.mark.parametrize("sizes", [(0,), (64,), (4_096, 0, 4_096), (100, 65_536, 60, 0, 200)])
def test_header_tables_of_any_size_are_followed(
    sizes: tuple[int, ...], serve: Serve, send_to: SendTo
) -> None:
    def resize(size: int) -> Callable[[FaultConnection], None]:
        return lambda connection: connection.settings({HEADER_TABLE_SIZE: size})

    first, *others = sizes
    server = serve(Script(opened=greet(100, {HEADER_TABLE_SIZE: first})))
    sending = send_to(server)
    sending.send(30)

    for position, size in enumerate(others, start=2):
        server.each(resize(size))
        sending.submit(30)
        sending.pump_until(acknowledged(server, position))
        sending.settle()
        sending.send(30)

    assert len(sending.has(Answer)) == len(sending.results())
    assert len(server.record.connections) == 1
    assert {entry.headers["apns-topic"] for entry in server.record.requests} == {
        "com.example.carillon"
    }


def test_headers_larger_than_the_gateway_takes_are_kept_from_it(
    serve: Serve, send_to: SendTo
) -> None:
    server = serve(Script(opened=greet(100, {MAX_HEADER_LIST_SIZE: 8_000})))
    sending = send_to(server)
    sending.send(1)

    (large,) = sending.submit(more=(("apns-collapse-id", "x" * 8_000),))
    sending.submit(20)
    sending.settle()

    result = sending.result(large)
    assert isinstance(result, NotProcessed)
    assert result.fault == "too_large"
    assert len(sending.has(Answer)) == 21


def test_a_refusal_of_streams_costs_no_connection(serve: Serve, send_to: SendTo) -> None:
    def answer(request: FaultRequest) -> None:
        if request.ordinal % 2:
            request.refuse()
        else:
            accept(request)

    server = serve(Script(arrived=answer))
    sending = send_to(server)

    sending.send(60)

    assert len(sending.has(NotProcessed)) == 30
    assert {one.fault for one in sending.has(NotProcessed)} == {"refused"}
    assert len(server.record.connections) == 1
