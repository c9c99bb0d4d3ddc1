"""Windows of flow control, both ways: behaviours 14 and 15."""

from collections.abc import Callable

from bench.faults.connection import FaultConnection
from bench.faults.request import FaultRequest
from bench.faults.script import INITIAL_WINDOW_SIZE, Script, greet
from delivery.transport import Answer, NotProcessed
from tests.http2.behaviours.conftest import Serve
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.scripts import MAX_CONCURRENT_STREAMS

SendTo = Callable[..., Sending]


def test_a_small_window_of_each_stream_is_respected(serve: Serve, send_to: SendTo) -> None:
    server = serve(Script(opened=greet(100, {INITIAL_WINDOW_SIZE: 1_024})))
    sending = send_to(server)

    sending.send(60, size=4_000)

    assert len(sending.has(Answer)) == 60
    assert all(len(entry.body) > 3_900 for entry in server.record.requests)


def test_a_window_of_nothing_waits_for_its_update(serve: Serve, send_to: SendTo) -> None:
    def opened(connection: FaultConnection) -> None:
        connection.settings({MAX_CONCURRENT_STREAMS: 10, INITIAL_WINDOW_SIZE: 0})
        connection.loop.later(0.2, lambda: connection.settings({INITIAL_WINDOW_SIZE: 500}))
        connection.loop.later(0.4, lambda: connection.settings({INITIAL_WINDOW_SIZE: 65_535}))

    server = serve(Script(opened=opened))
    sending = send_to(server)

    sending.send(20, size=2_000)

    assert len(sending.has(Answer)) == 20


def test_a_window_made_smaller_than_what_is_used_is_waited_out(
    serve: Serve, send_to: SendTo
) -> None:
    def shrink(request: FaultRequest) -> None:
        if request.ordinal == 0:
            request.connection.settings({INITIAL_WINDOW_SIZE: 1_000})

    server = serve(Script(opened=greet(4, {INITIAL_WINDOW_SIZE: 3_000}), began=shrink))
    sending = send_to(server)

    sending.send(12, size=8_000)

    assert len(sending.has(Answer)) == 12


def test_a_connection_window_that_refills_slowly_is_respected(
    serve: Serve, send_to: SendTo
) -> None:
    def opened(connection: FaultConnection) -> None:
        connection.replenishes = False
        connection.settings({MAX_CONCURRENT_STREAMS: 100})

        def refill() -> None:
            connection.replenish()
            connection.loop.later(0.02, refill)

        refill()

    server = serve(Script(opened=opened))
    sending = send_to(server)

    sending.send(100, size=4_000)

    assert len(sending.has(Answer)) == 100


def test_what_finds_no_window_in_its_time_was_never_written_whole(
    serve: Serve, send_to: SendTo
) -> None:
    def opened(connection: FaultConnection) -> None:
        connection.replenishes = False
        connection.settings({MAX_CONCURRENT_STREAMS: 100})

    server = serve(Script(opened=opened))
    sending = send_to(server, connections=1)

    sending.send(20, size=4_000, seconds=0.8)

    # 65,535 bytes hold sixteen bodies of 4,000 bytes and a part of one more.
    assert len(sending.has(Answer)) == 16
    assert len(sending.has(NotProcessed)) == 4
    assert len([entry for entry in server.record.requests if entry.arrived_at]) == 16


def test_bodies_of_errors_never_use_up_the_senders_own_window(
    serve: Serve, send_to: SendTo
) -> None:
    words = "x" * 20_000

    def answer(request: FaultRequest) -> None:
        request.refuse_push(400, "BadDeviceToken", words=words)

    server = serve(Script(arrived=answer))
    sending = send_to(server)

    for _ in range(3):
        sending.send(50)

    answers = sending.has(Answer)
    assert len(answers) == 150
    assert all(words.encode() in one.body for one in answers)
    assert len(server.record.connections) == 1


def test_many_small_errors_never_use_up_the_senders_own_window(
    serve: Serve, send_to: SendTo
) -> None:
    server = serve(Script(arrived=lambda request: request.refuse_push(400, "BadTopic")))
    sending = send_to(server)

    # 27 bytes and more than 65,535 of them in all, where aioapns stalls.
    sending.send(3_000)

    assert [one.status for one in sending.has(Answer)] == [400] * 3_000
