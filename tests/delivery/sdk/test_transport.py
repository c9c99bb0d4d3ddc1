"""The contract of a transport, kept by each of the three clients."""

import logging
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from cryptography import x509

from bench.faults.certificates import make_server_certificate
from bench.faults.request import FaultRequest
from bench.faults.script import Script, ignore
from delivery import sdk
from delivery.providers.certificate import unpack
from delivery.sandbox.credentials import make_p12
from delivery.sdk import SdkTransport
from delivery.transport import Ambiguous, Answer, Endpoint, NotProcessed, Result
from tests.deadlines import wait_until
from tests.delivery.gathering import drain, pump_until
from tests.delivery.sdk.conftest import Carry, Serve
from tests.delivery.sdk.pushing import MAKERS, Make, bound_to, send, to_apns, to_fcm, to_http

each_client = pytest.mark.parametrize("make", MAKERS)


def test_the_package_lists_its_public_names() -> None:
    assert sdk.__all__ == ["SdkTransport"]


@each_client
def test_every_request_is_answered_over_one_connection(
    serve: Serve, carry: Carry, make: Make
) -> None:
    server = serve()

    results = send(carry(server), [make(server, number) for number in range(200)])

    assert all(isinstance(one, Answer) and one.status == 200 for one in results)
    assert (server.record.began, server.record.duplicates) == (200, 0)
    assert len(server.record.connections) == 1
    assert server.record.violations() == []


def test_a_message_and_its_token_arrive_as_they_were(serve: Serve, carry: Carry) -> None:
    server = serve()
    request = to_fcm(server)

    result = send(carry(server), [request])[0]

    entry = server.record.requests[0]
    assert orjson.loads(entry.body) == orjson.loads(request.body)
    assert entry.headers["authorization"] == "Bearer access-token"
    assert isinstance(result, Answer)
    assert orjson.loads(result.body)["name"].startswith("projects/p/messages/")
    assert server.record.token_calls == 0


def test_each_request_goes_with_its_own_access_token(serve: Serve, carry: Carry) -> None:
    server = serve()
    requests = [
        replace(to_fcm(server, number), headers=(("authorization", f"Bearer {number}"),))
        for number in range(20)
    ]

    send(carry(server), requests)

    assert sorted(
        (entry.token, entry.headers["authorization"]) for entry in server.record.requests
    ) == sorted((f"token-{number}", f"Bearer {number}") for number in range(20))


def test_what_is_no_push_arrives_as_it_was(serve: Serve, carry: Carry) -> None:
    server = serve()
    request = to_http(server, 7)

    send(carry(server), [request])

    entry = server.record.requests[0]
    assert (entry.path, entry.body) == (request.path, request.body)
    assert entry.headers["content-type"] == "application/x-www-form-urlencoded"


@each_client
def test_bindings_never_share_a_connection(serve: Serve, carry: Carry, make: Make) -> None:
    server = serve()
    transport = carry(server)

    for _ in range(2):
        send(transport, [bound_to(make(server), binding) for binding in ("a", "b", "c")])

    assert [one.requests for one in server.record.connections] == [2, 2, 2]


def test_results_come_from_pumping_only(serve: Serve, carry: Carry) -> None:
    server = serve()
    transport = carry(server)
    results: list[Result] = []

    transport.submit(to_apns(server), results.append)

    wait_until(lambda: server.record.answers["200"] == 1, 10, "the answer")
    assert (results, transport.in_flight()) == ([], 1)
    drain(transport)
    assert (len(results), transport.in_flight()) == (1, 0)


def test_pumping_without_requests_does_not_wait(serve: Serve, carry: Carry) -> None:
    transport = carry(serve())

    transport.pump(3_600)

    assert transport.in_flight() == 0


def test_a_callback_may_submit_again(serve: Serve, carry: Carry) -> None:
    server = serve()
    transport = carry(server)
    results: list[Result] = []

    def again(_: Result) -> None:
        transport.submit(to_apns(server, 2), results.append)

    transport.submit(to_apns(server, 1), again)
    drain(transport)

    assert [type(one) for one in results] == [Answer]


def test_a_callback_that_raises_loses_no_other_result(serve: Serve, carry: Carry) -> None:
    server = serve()
    transport = carry(server)
    results: list[Result] = []

    def fail(_: Result) -> None:
        raise LookupError

    for number in range(10):
        transport.submit(to_apns(server, number), results.append if number else fail)
    with pytest.raises(LookupError):
        drain(transport)
    drain(transport)

    assert len(results) == 9


@each_client
def test_silence_is_ambiguous_and_the_next_request_gets_through(
    serve: Serve, carry: Carry, make: Make
) -> None:
    server = serve(Script(arrived=ignore))
    transport = carry(server)

    silent = send(transport, [make(server, number, 2.0) for number in range(5)])
    server.script = Script()
    heard = send(transport, [make(server, 9)])

    assert silent == [Ambiguous("timeout")] * 5
    assert isinstance(heard[0], Answer)
    # Where nothing was answered, the connection itself may be dead.
    assert [one.requests for one in server.record.connections] == [5, 1]


@each_client
def test_a_slow_answer_does_not_disturb_the_others(serve: Serve, carry: Carry, make: Make) -> None:
    def arrived(request: FaultRequest) -> None:
        if request.ordinal:
            request.accept()

    server = serve(Script(arrived=arrived))
    transport = carry(server)
    slow: list[Result] = []

    transport.submit(make(server, 0, 1.0), slow.append)
    pump_until(transport, lambda: server.record.began == 1)
    quick = send(transport, [make(server, number) for number in range(1, 20)])

    assert slow == [Ambiguous("timeout")]
    assert all(isinstance(one, Answer) for one in quick)
    assert len(server.record.connections) == 1


@each_client
def test_many_given_up_requests_cost_their_connection(
    serve: Serve, carry: Carry, make: Make
) -> None:
    def arrived(request: FaultRequest) -> None:
        if request.ordinal == 24 or request.connection.number:
            request.accept()
            # More arrives, so that everybody looks: see F-5 of the known failures.
            for again in range(24):
                request.connection.loop.later(0.01 * again, request.connection.settings)

    server = serve(Script(arrived=arrived))
    transport = carry(server)

    # The last of the 25 is answered, so the connection is known to live.
    results = send(transport, [make(server, number, 1.0) for number in range(25)])
    last = send(transport, [make(server, 30)])

    assert isinstance(last[0], Answer)
    assert results.count(Ambiguous("timeout")) == 24
    assert len(server.record.connections) == 2


@each_client
def test_a_refused_connection_is_not_processed(carry: Carry, serve: Serve, make: Make) -> None:
    server = serve()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening: it refuses
        endpoint = Endpoint(f"https://127.0.0.1:{bound.getsockname()[1]}", "a")

        requests = [replace(make(server, number), endpoint=endpoint) for number in range(10)]
        results = send(carry(server), requests)

    assert {one.fault for one in results if isinstance(one, NotProcessed)} == {"connect"}
    assert len(results) == 10


@each_client
def test_a_gateway_that_goes_away_is_unreachable(serve: Serve, carry: Carry, make: Make) -> None:
    server = serve()
    transport = carry(server)
    send(transport, [make(server)])

    server.refuse_connections()
    server.each(lambda connection: connection.reset())
    send(transport, [make(server, 1)])
    results = send(transport, [make(server, number) for number in range(2, 6)])

    assert {one.fault for one in results if isinstance(one, NotProcessed)} == {"connect"}
    assert len(results) == 4


@each_client
def test_a_server_that_never_shakes_hands_is_not_processed(serve: Serve, make: Make) -> None:
    server = serve()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = SdkTransport(server.ca, connect_timeout_seconds=0.2)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        request = replace(make(server), endpoint=Endpoint(url, "a"))

        results = send(transport, [request])

        transport.close()
    assert isinstance(results[0], NotProcessed)
    assert results[0].fault == "connect"


@each_client
def test_time_that_ends_while_connecting_is_not_processed(
    serve: Serve, carry: Carry, make: Make
) -> None:
    server = serve()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        request = replace(make(server, 1, 0.2), endpoint=Endpoint(url, "a"))

        results = send(carry(server), [request])

    assert results == [NotProcessed("connect", "timeout")]


@each_client
def test_an_unknown_authority_is_a_matter_of_certificates(serve: Serve, make: Make) -> None:
    server = serve()
    transport = SdkTransport()

    results = send(transport, [make(server)])

    assert isinstance(results[0], NotProcessed)
    assert results[0].fault == "certificate"
    assert server.record.began == 0
    transport.close()


@each_client
def test_a_certificate_for_another_name_is_not_trusted(
    serve: Serve, carry: Carry, make: Make, tmp_path: Path
) -> None:
    server = serve()
    name = x509.DNSName("elsewhere.example")
    certificate, key = make_server_certificate(tmp_path, "elsewhere", name, timedelta(days=1))
    server.serve_with(replace(server.options, certificate=certificate, key=key))

    results = send(carry(server), [make(server)])

    assert isinstance(results[0], NotProcessed)
    assert results[0].fault == "certificate"


@each_client
def test_a_client_certificate_is_shown(
    serve: Serve, carry: Carry, make: Make, tmp_path: Path
) -> None:
    server = serve(wants_client_certificate=True)
    shown = unpack(make_p12(tmp_path, "com.example.carillon", "pass"), "pass")[0]
    endpoint = Endpoint(server.url, "a", shown.certificate, shown.private_key)

    results = send(carry(server), [replace(make(server), endpoint=endpoint)])

    assert isinstance(results[0], Answer)


def test_an_unreadable_client_certificate_is_a_matter_of_certificates(
    serve: Serve, carry: Carry
) -> None:
    server = serve()
    endpoint = Endpoint(server.url, "a", "no certificate", "no key")

    results = send(carry(server), [replace(to_apns(server), endpoint=endpoint)])

    assert isinstance(results[0], NotProcessed)
    assert results[0].fault == "certificate"


def test_what_an_sdk_can_not_say_is_refused_in_words(serve: Serve, carry: Carry) -> None:
    server = serve()
    request = replace(to_fcm(server), body=b'{"message":{"token":"t","androidV2":{}}}')
    headers = (*to_fcm(server).headers, ("x-made-up", "1"))

    results = send(carry(server), [request, replace(to_fcm(server), headers=headers)])

    assert results == [
        NotProcessed("unsupported", "firebase-admin has no field for message.androidV2."),
        NotProcessed("unsupported", "firebase-admin has no place for the header x-made-up."),
    ]
    assert server.record.began == 0


def test_no_token_reaches_the_log(
    serve: Serve, carry: Carry, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve()
    with caplog.at_level(logging.DEBUG):
        send(carry(server), [make(server, 7) for make in MAKERS])

    assert "token" not in caplog.text.replace("/token", "")
    assert "000007" not in caplog.text


@each_client
def test_a_gateway_that_is_not_trusted_is_not_asked_for_each_request(
    serve: Serve, make: Make
) -> None:
    server = serve()
    transport = SdkTransport()

    results = send(transport, [make(server, number) for number in range(20)])

    assert {one.fault for one in results if isinstance(one, NotProcessed)} == {"certificate"}
    assert len(results) == 20
    assert len(server.record.connections) <= 2
    transport.close()
