"""What the SDKs do by themselves and this transport keeps them from doing."""

import pytest

from bench.faults.request import FaultRequest
from bench.faults.script import Script
from delivery.transport import Ambiguous, Answer
from tests.delivery.sdk.conftest import Carry, Serve
from tests.delivery.sdk.pushing import Make, send, to_apns, to_fcm, together

MAKERS: list[Make] = [to_apns, to_fcm]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_refusal_is_sent_once(serve: Serve, carry: Carry, make: Make, status: int) -> None:
    fields = [("retry-after", "30")]
    server = serve(
        Script(arrived=lambda one: one.answer(status, {"reason": "Shutdown"}, fields + own(one)))
    )

    result = send(carry(server), [make(server)])[0]

    assert isinstance(result, Answer)
    assert result.status == status
    assert server.record.began == 1


def own(request: FaultRequest) -> list[tuple[str, str]]:
    return [("apns-id", request.entry.apns_id)] if request.entry.apns_id else []


def test_many_refusals_do_not_use_up_the_connection(serve: Serve, carry: Carry) -> None:
    refusals = 150

    def arrived(request: FaultRequest) -> None:
        if request.connection.record.began > refusals:
            request.accept()
        else:
            request.answer(503, {"error": {"status": "UNAVAILABLE"}})

    server = serve(Script(arrived=arrived))
    transport = carry(server)

    refused = send(transport, [to_fcm(server, number) for number in range(refusals)])
    result = send(transport, [to_fcm(server, refusals)])[0]

    assert {one.status for one in refused if isinstance(one, Answer)} == {503}
    assert isinstance(result, Answer)
    assert result.status == 200
    assert len(server.record.connections) == 1


@pytest.mark.parametrize("make", MAKERS)
def test_nothing_is_sent_again_after_a_reset(serve: Serve, carry: Carry, make: Make) -> None:
    server = serve(together(5, lambda requests: requests[0].connection.reset()))

    results = send(carry(server), [make(server, number) for number in range(5)])

    assert all(isinstance(one, Ambiguous) for one in results)
    assert server.record.began == 5


def test_aioapns_sends_nothing_again_after_goaway(serve: Serve, carry: Carry) -> None:
    server = serve(together(5, lambda requests: requests[0].connection.goaway(0)))

    results = send(carry(server), [to_apns(server, number) for number in range(5)])

    assert all(isinstance(one, Ambiguous) for one in results)
    assert server.record.began == 5


@pytest.mark.long
def test_aioapns_keeps_a_quiet_connection(serve: Serve, carry: Carry) -> None:
    # It would close it after 10 s without traffic, and lose the answer.
    server = serve(
        Script(arrived=lambda request: request.connection.loop.later(11, request.accept))
    )

    results = send(carry(server), [to_apns(server, 1, 15.0)])

    assert isinstance(results[0], Answer)
