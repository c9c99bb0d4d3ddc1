"""Answers in every legal form and order: behaviours 17 to 20."""

import random
from collections.abc import Callable

import pytest

from bench.faults import raw
from bench.faults.connection import FaultConnection
from bench.faults.request import FaultRequest
from bench.faults.script import Script, greet
from delivery.outcome import Accepted, Gone, Paused, Rejected, Retry, Unknown
from delivery.transport import Answer
from tests.http2.behaviours.conftest import Serve
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.gateways import Gateways
from tests.http2.behaviours.scripts import Holding

SendTo = Callable[..., Sending]
REASON = b'{"reason":"BadDeviceToken"}'


def test_answers_in_any_order_find_their_pushes(serve: Serve, send_to: SendTo) -> None:
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    tokens = sending.submit(50)
    sending.pump_until(holding.holds(50))

    def shuffle() -> None:
        random.Random(17).shuffle(holding.held)
        holding.release(act=lambda request: request.answer(400, {"to": request.entry.token}))()

    server.call(shuffle)
    sending.settle()

    for token in tokens:
        result = sending.result(token)
        assert isinstance(result, Answer)
        assert token.encode() in result.body


def body_later(request: FaultRequest) -> None:
    request.head(400)
    request.connection.loop.later(0.3, lambda: request.data(REASON, last=True))


def split_body(request: FaultRequest) -> None:
    request.head(400)
    for at in range(0, len(REASON), 5):
        request.data(REASON[at : at + 5], last=at + 5 >= len(REASON))


def empty_last_frame(request: FaultRequest) -> None:
    request.head(400)
    request.data(REASON)
    request.data_raw(b"", last=True)


def padded_body(request: FaultRequest) -> None:
    request.head(400)
    request.data(REASON[:9], padding=0)
    request.data(REASON[9:], last=True, padding=200)


def padded_head(request: FaultRequest) -> None:
    block = request.connection.http.encoder.encode([(":status", "400")])
    payload = bytes((9,)) + block + bytes(9)
    flags = raw.END_HEADERS | raw.PADDED
    request.connection.record.answer(request.entry, "400")
    request.connection.write_raw(raw.frame(raw.HEADERS, flags, request.stream, payload))
    request.data_raw(REASON, last=True)


def head_with_priority(request: FaultRequest) -> None:
    block = request.connection.http.encoder.encode([(":status", "400")])
    payload = bytes((0, 0, 0, 0, 15)) + block
    request.connection.record.answer(request.entry, "400")
    request.connection.write_raw(raw.frame(raw.HEADERS, 0x24, request.stream, payload))
    request.data_raw(REASON, last=True)


def continuations(request: FaultRequest) -> None:
    request.head_raw(400, 7, [("x-long", "y" * 300)])
    request.data_raw(REASON, last=True)


def trailers(request: FaultRequest) -> None:
    request.head(400)
    request.data(REASON)
    request.trailers([("x-checked", "yes")])


def one_byte_at_a_time(request: FaultRequest) -> None:
    """The whole answer in TLS records of one byte."""
    block = request.connection.http.encoder.encode([(":status", "400")])
    request.connection.record.answer(request.entry, "400")
    frames = raw.frame(raw.HEADERS, raw.END_HEADERS, request.stream, block)
    frames += raw.frame(raw.DATA, raw.END_STREAM, request.stream, REASON)
    for byte in frames:
        request.connection.write_raw(bytes((byte,)))
    request.forget()


@pytest.mark.parametrize(
    "form",
    [
        body_later,
        split_body,
        empty_last_frame,
        padded_body,
        padded_head,
        head_with_priority,
        continuations,
        trailers,
        one_byte_at_a_time,
    ],
)
def test_an_answer_is_read_in_every_form(
    form: Callable[[FaultRequest], None], serve: Serve, send_to: SendTo
) -> None:
    server = serve(Script(arrived=form))
    sending = send_to(server)

    sending.send(20)

    assert [(one.status, one.body) for one in sending.has(Answer)] == [(400, REASON)] * 20
    assert len(server.record.connections) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b""),
        (500, b""),
        (502, b"<html>Bad Gateway</html>"),
        (400, b'{"reason":"NeverSeenBefore","more":[1,{"a":null}]}'),
        (410, b'{"reason":"Unregistered","timestamp":1.5e12}'),
        (403, b"\xff\xfe"),
    ],
)
def test_any_status_with_any_body_is_an_answer(
    status: int, body: bytes, serve: Serve, send_to: SendTo
) -> None:
    server = serve(Script(arrived=lambda request: request.answer(status, body)))
    sending = send_to(server)

    sending.send(20)

    assert [(one.status, one.body) for one in sending.has(Answer)] == [(status, body)] * 20


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", Accepted),
        (200, b"OK", Unknown),
        (400, b"", Rejected),
        (400, b"Bad Request", Rejected),
        (400, b'{"reason":"NeverSeenBefore"}', Rejected),
        (403, b'{"reason":"NeverSeenBefore"}', Paused),
        (410, b'{"reason":"Unregistered"}', Gone),
        (410, b'{"reason":"Unregistered","timestamp":1795000000123.0,"x":{}}', Gone),
        (410, b'{"reason":"Unregistered","timestamp":"soon"}', Gone),
        (500, b"", Retry),
        (502, b"<html>", Unknown),
        (503, b"[]", Retry),
        (504, b"", Unknown),
        (599, b"", Unknown),
    ],
)
def test_every_answer_has_an_outcome(
    status: int, body: bytes, kind: type, gateways: Gateways
) -> None:
    gateways.act(Script(arrived=lambda request: request.answer(status, body)))

    (outcome,) = gateways.send(gateways.apns(), 1)

    assert isinstance(outcome, kind)
    if isinstance(outcome, Gone):
        assert outcome.at_ms == (1_795_000_000_123 if b"123.0" in body else None)


@pytest.mark.parametrize("form", ["absent", "upper", "another"])
def test_an_answer_needs_no_apns_id_to_find_its_push(
    form: str, serve: Serve, send_to: SendTo
) -> None:
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    tokens = sending.submit(20)
    sending.pump_until(holding.holds(20))
    others = [request.entry.apns_id for request in holding.held]

    def answer(request: FaultRequest) -> None:
        ids = {"upper": request.entry.apns_id.upper(), "another": others.pop()}
        headers = [("apns-id", ids[form])] if form in ids else []
        status = 200 if int(request.entry.token, 16) % 2 else 429
        request.answer(status, b"", headers)

    server.call(holding.release(act=answer))
    sending.settle()

    for token in tokens:
        result = sending.result(token)
        assert isinstance(result, Answer)
        assert result.status == (200 if int(token, 16) % 2 else 429)


def test_informational_responses_are_passed_over(serve: Serve, send_to: SendTo) -> None:
    def answer(request: FaultRequest) -> None:
        request.head(100, [])
        request.head(103, [("link", "</x>; rel=preload")])
        request.connection.loop.later(0.05, request.accept)

    server = serve(Script(arrived=answer))
    sending = send_to(server)

    sending.send(20)

    assert [one.status for one in sending.has(Answer)] == [200] * 20


def test_pings_of_the_gateway_are_answered(serve: Serve, send_to: SendTo) -> None:
    holding = Holding()
    server = serve(Script(arrived=holding))
    sending = send_to(server)
    sending.submit(3)
    sending.pump_until(holding.holds(3))

    for _ in range(3):
        server.each(FaultConnection.ping)
    sending.pump_until(lambda: server.record.connections[0].pongs == 3)
    server.call(holding.release())
    sending.settle()

    assert len(sending.has(Answer)) == 3


def test_what_is_unknown_is_ignored(serve: Serve, send_to: SendTo) -> None:
    def answer(request: FaultRequest) -> None:
        write = request.connection.write_raw
        write(raw.frame(0xFA, 0xFF, request.stream, b"never seen"))
        write(raw.frame(0xFA, 0xFF, 0, b""))
        write(raw.frame(0x0A, 0, 0, b"\0\0h3=:443"))  # ALTSVC
        write(raw.frame(0x0C, 0, 0, b"\0\x09https://a"))  # ORIGIN
        write(raw.frame(raw.PRIORITY, 0, request.stream, bytes(5)))
        request.accept()

    server = serve(Script(opened=greet(100, {0x08: 1, 0xABCD: 7, 0x99: 2**32 - 1}), arrived=answer))
    sending = send_to(server)

    sending.send(20)

    assert [one.status for one in sending.has(Answer)] == [200] * 20
    assert len(server.record.connections) == 1
