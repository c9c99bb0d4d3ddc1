"""Rates and overload: what 31 to 38 and 41 ask of a transport and a provider.

What they ask of engine and pacing stands in tests/e2e/test_rates.py and tests/chaos/test_rates.py.
"""

from collections.abc import Callable

import pytest

from bench.faults.request import FaultRequest
from bench.faults.script import Script
from delivery.outcome import Accepted, Gone, Rejected, Retry, Scope
from delivery.transport import Ambiguous, Answer, NotProcessed
from tests.http2.behaviours.conftest import Serve
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.gateways import Gateways, reasons

SendTo = Callable[..., Sending]


def test_hot_tokens_are_delayed_alone(gateways: Gateways) -> None:
    apns = gateways.apns()
    hot, cold = gateways.tokens(apns, 5, "throttled"), gateways.tokens(apns, 20)

    outcomes = apns.send([*hot, *cold])

    expected = Retry("too_many_requests", Scope.DEVICE, 10.0)
    assert outcomes[:5] == [expected] * 5
    assert all(isinstance(one, Accepted) for one in outcomes[5:])


def test_a_spent_project_quota_says_when_to_come_back(gateways: Gateways) -> None:
    gateways.change(fcm_quota_per_minute=30)

    outcomes = gateways.send(gateways.fcm(), 80)

    refused = [one for one in outcomes if isinstance(one, Retry)]
    assert len([one for one in outcomes if isinstance(one, Accepted)]) == 30
    assert len(refused) == 50
    assert {one.scope for one in refused} == {Scope.PROJECT}
    assert all(50 <= (one.after_seconds or 0) <= 60 for one in refused)


@pytest.mark.parametrize(
    ("outcome", "seconds"),
    [
        ("quota_exceeded", 10),
        ("quota_exceeded_date", 10),
        ("quota_exceeded_bare", 60),
        ("rate_limit_exceeded", 10),
        ("rate_limit_exceeded_bare", 60),
    ],
)
def test_a_quota_is_read_in_every_form(outcome: str, seconds: float, gateways: Gateways) -> None:
    (found,) = gateways.send(gateways.fcm(), 1, outcome)

    assert isinstance(found, Retry)
    assert (found.reason, found.scope) == ("quota_exceeded", Scope.PROJECT)
    assert found.after_seconds == pytest.approx(seconds, abs=2)


def test_hundreds_of_server_errors_wear_no_connection_out(gateways: Gateways) -> None:
    fcm = gateways.fcm()
    for outcome in ("server_error", "unavailable"):
        outcomes = gateways.send(fcm, 150, outcome)
        assert all(isinstance(one, Retry) for one in outcomes)

    outcomes = gateways.send(fcm, 100)

    # Under load there may be two connections; none was worn out.
    assert all(isinstance(one, Accepted) for one in outcomes)
    assert not any(entry.closed_at for entry in gateways.server.record.connections)


def test_a_503_says_when_to_come_back(gateways: Gateways) -> None:
    gateways.change(retry_after_seconds=30)

    outcomes = gateways.send(gateways.fcm(), 3, "unavailable_later")

    assert outcomes == [Retry("unavailable", Scope.PROJECT, 30.0)] * 3


def test_slow_answers_are_waited_for_and_sent_once(gateways: Gateways) -> None:
    gateways.change(slow_seconds=1.5, latency={"p50": 20, "p99": 200, "max": 400})
    apns = gateways.apns()
    slow = apns.start(gateways.tokens(apns, 5, "slow"))

    quick = gateways.send(apns, 100)

    assert all(isinstance(one, Accepted) for one in quick)
    assert all(isinstance(outcome, Accepted) for _, outcome in slow)
    assert len(slow) == 5
    assert len(gateways.pushes()) == 105


def test_a_gateway_that_hangs_up_on_bad_senders_loses_no_push(
    serve: Serve, send_to: SendTo
) -> None:
    def answer(request: FaultRequest) -> None:
        if int(request.entry.token, 16) % 2:
            request.accept()
        else:
            request.refuse_push(400, "BadDeviceToken")
        if request.ordinal == 59:
            request.connection.goaway(request.stream)
            request.connection.loop.later(0.05, request.connection.close)

    server = serve(Script(arrived=answer))
    sending = send_to(server)

    for _ in range(6):
        sending.send(50)

    assert sending.has(Ambiguous) == []
    assert len(sending.has(Answer)) + len(sending.has(NotProcessed)) == 300
    assert 1 < len(server.record.connections) <= 10


def test_a_wrong_gateway_makes_tokens_suspect_and_ends_none(gateways: Gateways) -> None:
    gateways.force("apns", "bad_device_token")

    outcomes = gateways.send(gateways.apns(), 100)

    assert all(isinstance(one, Rejected) and one.suspect for one in outcomes)
    assert not any(isinstance(one, Gone) for one in outcomes)
    assert reasons(outcomes) == {"bad_device_token"}
