"""What the transport on the SDKs takes back, and what it does not."""

import gc
import socket
from dataclasses import replace

import pytest

from bench.faults.request import FaultRequest
from bench.faults.script import Script
from delivery.transport import Answer, NotProcessed, Result
from tests.deadlines import wait_until
from tests.delivery.gathering import drain
from tests.delivery.sdk.conftest import Carry, Serve
from tests.delivery.sdk.pushing import MAKERS, Make
from tests.delivery.tls.servers import listening, silent

each_client = pytest.mark.parametrize("make", MAKERS)


# asyncio closes no transport whose TLS handshake is taken back at the wrong moment.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@each_client
@pytest.mark.parametrize("is_dialing", [True, False])
def test_what_waits_for_a_connection_is_taken_back(
    serve: Serve, carry: Carry, make: Make, *, is_dialing: bool
) -> None:
    server, dialed, results = serve(), list[socket.socket](), list[Result]()
    transport = carry(server)

    def hang(plain: socket.socket) -> None:
        dialed.append(plain)
        silent(plain)

    with listening(hang) as port:
        for number in range(5):
            request = make(server, number)
            there = replace(request.endpoint, origin=f"https://127.0.0.1:{port}")
            transport.submit(replace(request, endpoint=there), results.append)
        if is_dialing:
            wait_until(lambda: bool(dialed), 10, "a connection hangs in TLS")
        transport.withdraw(lambda _done: True)
        drain(transport)

    assert [type(one) for one in results] == [NotProcessed] * 5
    assert {one.fault for one in results if isinstance(one, NotProcessed)} == {"withdrawn"}
    # What was left open is found now, and not in another test.
    gc.collect()


@each_client
def test_what_was_written_gets_its_answer(serve: Serve, carry: Carry, make: Make) -> None:
    held: list[FaultRequest] = []
    server, results = serve(Script(arrived=held.append)), list[Result]()
    transport = carry(server)
    transport.submit(make(server), results.append)
    wait_until(lambda: len(held) == 1, 10, "the request")
    waiting = transport.unwritten()

    transport.withdraw(lambda _done: True)
    server.call(held[0].accept)
    drain(transport)

    assert waiting == []
    assert [type(one) for one in results] == [Answer]


@each_client
def test_only_what_is_meant_is_taken_back(serve: Serve, carry: Carry, make: Make) -> None:
    server = serve()
    transport = carry(server)
    one, other = list[Result](), list[Result]()
    transport.submit(make(server, 1), one.append)
    transport.submit(make(server, 2), other.append)

    transport.withdraw(lambda done: done == one.append)
    drain(transport)
    transport.close()
    transport.withdraw(lambda _done: True)

    # It may have left meanwhile: then it goes on.
    assert [type(result) for result in one] in ([NotProcessed], [Answer])
    assert [type(result) for result in other] == [Answer]
    assert transport.unwritten() == []
