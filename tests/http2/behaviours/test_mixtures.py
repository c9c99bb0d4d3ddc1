"""Faults at random, all at once: the books have to be right whatever comes."""

import random
from collections.abc import Callable

import pytest

from bench.faults.connection import FaultConnection
from bench.faults.request import FaultRequest
from bench.faults.script import INITIAL_WINDOW_SIZE, Script, accept
from delivery.transport import Ambiguous, Answer, NotProcessed
from tests.http2.behaviours.conftest import Serve
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.scripts import (
    CANCEL,
    INTERNAL,
    MAX_CONCURRENT_STREAMS,
    NO_LAST_STREAM,
    after,
    goaway,
)

SendTo = Callable[..., Sending]
Act = Callable[[FaultRequest], object]


class Mixture:
    """Draws what becomes of each request, and now and then of its whole connection."""

    def __init__(self, seed: int) -> None:
        self._draws = random.Random(seed)
        self._connections: dict[int, FaultConnection] = {}

    def script(self) -> Script:
        return Script(opened=self._open, began=self._begin, arrived=self._arrive)

    def _open(self, connection: FaultConnection) -> None:
        self._connections[connection.number] = connection
        streams = self._draws.choice([1, 10, 100])
        window = self._draws.choice([0, 100, 65_535])
        connection.settings({MAX_CONCURRENT_STREAMS: streams, INITIAL_WINDOW_SIZE: window})
        connection.loop.later(0.1, lambda: self._relax(connection))

    def _relax(self, connection: FaultConnection) -> None:
        if connection.entry.closed_at is None:
            connection.settings({MAX_CONCURRENT_STREAMS: 100, INITIAL_WINDOW_SIZE: 65_535})

    def _begin(self, request: FaultRequest) -> None:
        if self._draws.random() < 0.02:
            request.reset(self._draws.choice([CANCEL, INTERNAL, 7]))

    def _arrive(self, request: FaultRequest) -> None:
        if self._draws.random() < 0.03:
            self._harm(self._connections[request.connection.number])
        acts: list[Act] = [accept, accept, accept, after(0.02), FaultRequest.refuse]
        acts += [self._late_body, lambda one: one.reset(CANCEL)]
        self._draws.choice(acts)(request)

    def _late_body(self, request: FaultRequest) -> None:
        request.head(400)
        request.connection.loop.later(0.03, lambda: request.data(b'{"reason":"x"}', last=True))

    def _harm(self, connection: FaultConnection) -> None:
        last = self._draws.choice([0, connection.last_stream, connection.last_stream // 2 | 1])
        harms: list[Callable[[FaultConnection], object]] = [
            FaultConnection.reset,
            FaultConnection.close,
            goaway(last, 0, b"bye"),
            goaway(NO_LAST_STREAM),
            lambda one: one.settings({MAX_CONCURRENT_STREAMS: 1, INITIAL_WINDOW_SIZE: 10}),
            FaultConnection.ping,
        ]
        if not connection.entry.goaways:
            self._draws.choice(harms)(connection)
        if connection.entry.goaways:
            connection.loop.later(0.1, connection.close)


@pytest.mark.parametrize("seed", range(6))
def test_any_mixture_of_faults_keeps_the_books(seed: int, serve: Serve, send_to: SendTo) -> None:
    server = serve(Mixture(seed).script())
    sending = send_to(server)

    for _ in range(10):
        sending.submit(20, seconds=1.5, size=200 + 1_900 * (seed % 3))
        sending.transport.pump(0.02)
    sending.settle()

    assert len(sending.results()) == 200
    assert sending.has(Answer)
    assert {type(one) for one in sending.results()} <= {Answer, NotProcessed, Ambiguous}
