"""How connections of the transport on the SDKs end."""

import pytest

from bench.faults.record import RequestEntry
from bench.faults.request import FaultRequest
from bench.faults.script import Script, ignore
from delivery.sdk import SdkTransport
from delivery.transport import Ambiguous, Answer, NotProcessed, Result
from tests.deadlines import wait_until
from tests.delivery.gathering import drain
from tests.delivery.sdk.conftest import Carry, Serve
from tests.delivery.sdk.pushing import MAKERS, Make, bound_to, send, to_apns

each_client = pytest.mark.parametrize("make", MAKERS)


def has_arrived(entry: RequestEntry) -> bool:
    return entry.arrived_at is not None


@each_client
def test_a_retired_endpoint_ends_when_it_carries_nothing(
    serve: Serve, carry: Carry, make: Make
) -> None:
    held: list[FaultRequest] = []
    server = serve(Script(arrived=held.append))
    transport = carry(server)
    results: list[Result] = []
    request = make(server)
    transport.submit(request, results.append)
    wait_until(lambda: len(held) == 1, 10, "the request")

    transport.retire(request.endpoint)
    assert server.record.connections[0].closed_at is None
    server.call(held[0].accept)
    drain(transport)

    assert isinstance(results[0], Answer)
    wait_until(lambda: server.record.connections[0].closed_at is not None, 10, "the end")
    server.script = Script()
    send(transport, [request])
    assert len(server.record.connections) == 2


def test_unused_connections_are_closed_when_another_endpoint_comes(serve: Serve) -> None:
    server = serve()
    transport = SdkTransport(server.ca, idle_seconds=0)

    send(transport, [bound_to(to_apns(server), "old")])
    send(transport, [bound_to(to_apns(server), "new")])

    wait_until(lambda: server.record.connections[0].closed_at is not None, 10, "the end")
    transport.close()


@each_client
def test_closing_gives_every_request_a_result(serve: Serve, carry: Carry, make: Make) -> None:
    server = serve(Script(arrived=ignore))
    transport = carry(server)
    results: list[Result] = []
    for number in range(3):
        transport.submit(make(server, number, 60.0), results.append)
    wait_until(lambda: sum(map(has_arrived, server.record.requests)) == 3, 10, "the requests")

    transport.close()

    assert results == [Ambiguous("closed")] * 3
    transport.submit(make(server), results.append)
    assert transport.in_flight() == 1
    transport.pump(0)
    assert results[3:] == [NotProcessed("unsent", "the transport is closed")]
    transport.retire(make(server).endpoint)
    transport.close()


def test_closing_at_once_writes_nothing_that_is_called_unsent(serve: Serve, carry: Carry) -> None:
    server = serve(Script(arrived=ignore))
    transport = carry(server)
    results: list[Result] = []
    for number in range(50):
        transport.submit(to_apns(server, number, 60.0), results.append)

    transport.close()

    assert len(results) == 50
    unsure = sum(isinstance(one, Ambiguous) for one in results)
    assert server.record.began <= unsure
