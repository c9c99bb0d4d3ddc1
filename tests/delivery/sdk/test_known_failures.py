"""Each failure of the table in docs/reference/transports.md, as it shows over the transport.

A test here that fails means that an SDK has been mended: then the table has one row too many.
"""

from bench.faults.connection import MAX_CONCURRENT_STREAMS
from bench.faults.request import FaultRequest
from bench.faults.script import Script, greet
from delivery.transport import Ambiguous, Answer, NotProcessed
from tests.delivery.sdk.conftest import Carry, Serve
from tests.delivery.sdk.pushing import send, to_apns, to_fcm, together


def test_f1_a_lower_limit_leaves_answers_unread(serve: Serve, carry: Carry) -> None:
    def lower(requests: list[FaultRequest]) -> None:
        requests[0].connection.settings({MAX_CONCURRENT_STREAMS: 1})
        for request in requests:
            request.accept()

    server = serve(together(10, lower))
    transport = carry(server)

    results = send(transport, [to_fcm(server, number, 3.0) for number in range(10)])

    # Whoever finds its answer in the same piece as the settings has it.
    assert results.count(Ambiguous("timeout")) > 5
    assert isinstance(send(transport, [to_fcm(server, 11)])[0], Answer)
    assert server.record.duplicates == 0


def test_f2_goaway_loses_answers(serve: Serve, carry: Carry) -> None:
    def leave(requests: list[FaultRequest]) -> None:
        requests[0].connection.goaway(requests[5].stream)
        for request in requests[:6]:
            request.accept()

    server = serve(together(10, leave))

    results = send(carry(server), [to_fcm(server, number, 5.0) for number in range(10)])

    # Whoever was reading when it came may find the answer beside it.
    assert sum(isinstance(one, Ambiguous) for one in results[:6]) >= 5
    assert (server.record.processed, server.record.duplicates) == (10, 0)


def test_f2_goaway_of_all_looks_like_silence(serve: Serve, carry: Carry) -> None:
    server = serve(together(10, lambda requests: requests[0].connection.goaway(0)))

    results = send(carry(server), [to_fcm(server, number, 5.0) for number in range(10)])

    assert all(isinstance(one, Ambiguous) for one in results)
    assert server.record.processed == 0


def test_f3_a_refused_stream_is_unknown(serve: Serve, carry: Carry) -> None:
    server = serve(Script(arrived=FaultRequest.refuse))

    result = send(carry(server), [to_fcm(server)])[0]

    assert isinstance(result, Ambiguous)
    assert server.record.processed == 0


def test_f4_a_401_is_sent_three_times(serve: Serve, carry: Carry) -> None:
    server = serve(Script(arrived=lambda request: request.answer(401, {"error": {}})))

    result = send(carry(server), [to_fcm(server)])[0]

    assert isinstance(result, Answer)
    assert (result.status, result.body) == (401, b'{"error":{}}')
    assert server.record.began == 3
    assert server.record.token_calls == 0


def test_f5_answers_wait_for_requests_before_them(serve: Serve, carry: Carry) -> None:
    answered = range(10, 50, 10)
    tokens = [f"token-{number}" for number in answered]

    def answer_some(requests: list[FaultRequest]) -> None:
        # Once all that the gateway says of windows was read: it would let others look, too.
        for request in requests:
            if request.entry.token in tokens:
                request.connection.loop.later(0.4, request.accept)

    server = serve(together(50, answer_some))
    requests = [to_fcm(server, number, 2.0 if number in answered else 4.0) for number in range(50)]

    results = send(carry(server), requests)

    assert Ambiguous("timeout") in [results[number] for number in answered]
    assert server.record.answers["200"] == 4


def test_a1_an_error_without_a_body_is_not_seen(serve: Serve, carry: Carry) -> None:
    server = serve(Script(arrived=lambda request: request.answer(500)))

    assert send(carry(server), [to_apns(server, 1, 0.5)]) == [Ambiguous("timeout")]


def test_a2_an_answer_without_our_id_is_not_seen(serve: Serve, carry: Carry) -> None:
    server = serve(Script(arrived=lambda request: request.answer(200, headers=[])))

    assert send(carry(server), [to_apns(server, 1, 0.5)]) == [Ambiguous("timeout")]


def test_a3_a_body_in_two_parts_breaks_the_connection(serve: Serve, carry: Carry) -> None:
    def split(requests: list[FaultRequest]) -> None:
        requests[0].head(400)
        requests[0].data(b'{"reason":')
        requests[0].data(b'"BadDeviceToken"}', last=True)
        requests[1].accept()

    server = serve(together(2, split))

    results = send(carry(server), [to_apns(server, number, 5.0) for number in range(2)])

    assert [type(one) for one in results] == [Ambiguous] * 2


def test_a4_a_reset_stream_is_not_seen(serve: Serve, carry: Carry) -> None:
    server = serve(Script(arrived=FaultRequest.refuse))

    assert send(carry(server), [to_apns(server, 1, 0.5)]) == [Ambiguous("timeout")]
    assert server.record.processed == 0


def test_a5_goaway_closes_before_the_answers(serve: Serve, carry: Carry) -> None:
    def leave(requests: list[FaultRequest]) -> None:
        connection = requests[0].connection
        connection.goaway(requests[5].stream, debug=b'{"reason":"Shutdown"}')
        for request in requests[:6]:
            connection.loop.later(0.1, request.accept)

    server = serve(together(10, leave))

    results = send(carry(server), [to_apns(server, number, 5.0) for number in range(10)])

    assert all(isinstance(one, Ambiguous) for one in results)
    assert {one.debug for one in results if isinstance(one, Ambiguous)} == {
        b'{"reason":"Shutdown"}'
    }
    assert (server.record.processed, server.record.began) == (6, 10)


def test_a6_nothing_waits_for_the_window(serve: Serve, carry: Carry) -> None:
    def hold(connection: object) -> None:
        connection.replenishes = False  # type: ignore[attr-defined]
        greet()(connection)  # type: ignore[arg-type]

    server = serve(Script(opened=hold))
    payload = b'{"a":"%s"}' % (b"x" * 4_000)

    results = send(
        carry(server), [to_apns(server, number, 5.0, payload=payload) for number in range(20)]
    )

    unsent = [one for one in results if isinstance(one, NotProcessed)]
    assert len(unsent) == 4
    assert {one.fault for one in unsent} == {"unsent"}


def test_a7_no_room_is_given_back_for_errors(serve: Serve, carry: Carry) -> None:
    # With what is around it, 4,369 bytes: 15 of them fill the window to the last byte.
    reason = "x" * 4_356
    server = serve(Script(arrived=lambda request: request.refuse_push(400, reason)))

    results = send(carry(server), [to_apns(server, number, 1.0) for number in range(20)])

    assert sum(isinstance(one, Answer) for one in results) == 15
    assert sum(one == Ambiguous("timeout") for one in results) == 5


def test_a8_a_cold_connection_is_not_warmed_up(serve: Serve, carry: Carry) -> None:
    def refuse_more(request: FaultRequest) -> None:
        if request.ordinal:
            request.refuse()
        else:
            request.accept()

    server = serve(Script(opened=greet(1), arrived=refuse_more))

    results = send(carry(server), [to_apns(server, number, 1.0) for number in range(5)])

    assert isinstance(results[0], Answer)
    assert Ambiguous("timeout") in results[1:]


def test_a9_one_of_two_pushes_with_an_id_is_lost(serve: Serve, carry: Carry) -> None:
    def both(requests: list[FaultRequest]) -> None:
        for request in requests:
            request.accept()

    server = serve(together(2, both))

    results = send(carry(server), [to_apns(server, 1, 0.5)] * 2)

    assert sorted(type(one).__name__ for one in results) == ["Ambiguous", "Answer"]


def test_a10_retry_after_is_not_handed_on(serve: Serve, carry: Carry) -> None:
    fields = [("apns-id", "00000000-0000-0000-0000-000000000001"), ("retry-after", "10")]
    body = {"reason": "TooManyRequests"}
    server = serve(Script(arrived=lambda request: request.answer(429, body, fields)))

    result = send(carry(server), [to_apns(server, 1)])[0]

    assert isinstance(result, Answer)
    assert (result.status, result.body) == (429, b'{"reason":"TooManyRequests"}')
    assert "retry-after" not in result.headers


def test_a11_a_foreign_success_counts(serve: Serve, carry: Carry) -> None:
    server = serve(Script(arrived=lambda request: request.answer(200, b"<html>")))

    result = send(carry(server), [to_apns(server, 1)])[0]

    assert isinstance(result, Answer)
    assert (result.status, result.body) == (200, b"")


def test_a12_a_payload_grows(serve: Serve, carry: Carry) -> None:
    server = serve()
    payload = b'{"aps":{"alert":{"title":"T","body":"B"}}}'

    send(carry(server), [to_apns(server, payload=payload)])

    assert server.record.requests[0].body == b'{"aps": {"alert": {"title": "T", "body": "B"}}}'
