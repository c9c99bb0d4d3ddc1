"""Pushes through a transport, and the server's record as the judge of what it says of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import TypeVar
from uuid import uuid4

import orjson

from bench.faults.record import Record, RequestEntry
from bench.faults.server import FaultServer
from delivery.transport import (
    Ambiguous,
    Answer,
    Endpoint,
    Fields,
    NotProcessed,
    Request,
    Result,
    Transport,
)
from tests.delivery.gathering import drain, pump_until

Kind = TypeVar("Kind", Answer, NotProcessed, Ambiguous)
Shape = Callable[[Endpoint, str, int], Request]

TOPIC = "com.example.carillon"
APNS_HEADERS: Fields = (
    ("apns-topic", TOPIC),
    ("apns-push-type", "alert"),
    ("apns-priority", "10"),
    ("authorization", "bearer " + "e" * 200),
)
FCM_HEADERS: Fields = (
    ("content-type", "application/json"),
    ("authorization", "Bearer ya29.faults"),
)
_SERIALS = count(1)


def apns_request(endpoint: Endpoint, token: str, size: int) -> Request:
    """An alert to a device token, with a body of about `size` bytes."""
    body = orjson.dumps({"aps": {"alert": token[-12:]}, "k": "a" * max(0, size - 60)})
    varying = (("apns-id", str(uuid4())), ("apns-expiration", "0"))
    return Request(endpoint, f"/3/device/{token}", APNS_HEADERS, varying, body, 10.0)


def fcm_request(endpoint: Endpoint, token: str, size: int) -> Request:
    """A message to a registration token, with a body of about `size` bytes."""
    message = {"token": token, "data": {"k": "a" * max(0, size - 120)}}
    path = "/v1/projects/faults/messages:send"
    return Request(endpoint, path, FCM_HEADERS, (), orjson.dumps({"message": message}), 10.0)


def make_token() -> str:
    """A device token that no other push of this process has."""
    return f"{next(_SERIALS):064x}"


class Sending:
    """Pushes to one server; every one has its own token, body and apns-id."""

    def __init__(
        self,
        transport: Transport,
        server: FaultServer,
        shape: Shape = apns_request,
        *,
        url: str = "",
        binding: str = "a",
    ) -> None:
        self.transport = transport
        self.server = server
        self.endpoint = Endpoint(url or server.url, binding)
        self._shape = shape
        self._results: dict[str, list[Result]] = {}

    @property
    def record(self) -> Record:
        """What the server saw."""
        return self.server.record

    def submit(
        self, number: int = 1, *, seconds: float = 10.0, size: int = 300, more: Fields = ()
    ) -> list[str]:
        """Hand pushes to the transport; return their tokens."""
        tokens = [make_token() for _ in range(number)]
        for token in tokens:
            request = self._shape(self.endpoint, token, size)
            request = replace(request, timeout_seconds=seconds, varying=request.varying + more)
            self.submit_request(token, request)
        return tokens

    def submit_request(self, token: str, request: Request) -> None:
        """Hand over a request made elsewhere."""
        results = self._results.setdefault(token, [])
        self.transport.submit(request, results.append)

    def pump_until(self, is_done: Callable[[], bool], seconds: float = 10.0) -> None:
        """Pump until something holds."""
        pump_until(self.transport, is_done, seconds)

    def settle(self, seconds: float = 15.0) -> None:
        """Wait until every push has its result, then let the record judge them all."""
        drain(self.transport, seconds)
        self.judge()

    def send(self, number: int = 1, *, seconds: float = 10.0, size: int = 300) -> list[Result]:
        """Submit and settle; return the results in order."""
        tokens = self.submit(number, seconds=seconds, size=size)
        self.settle(seconds + 5)
        return [self.result(token) for token in tokens]

    def result(self, token: str) -> Result:
        """Return what became of a push."""
        return self._results[token][0]

    def results(self) -> list[Result]:
        """Return what became of all pushes, in the order of their submission."""
        return [results[0] for results in self._results.values() if results]

    def has(self, kind: type[Kind]) -> list[Kind]:
        """Return the results of one kind."""
        return [one for one in self.results() if isinstance(one, kind)]

    def entry(self, token: str) -> RequestEntry:
        """Return the one request that the server saw of a push."""
        return self.record.of(token)[0]

    def judge(self) -> None:
        """Hold every result against the record."""
        assert not self.server.loop.errors, self.server.loop.errors
        assert self.record.violations() == []
        assert self.record.duplicates == 0
        arrived: dict[str, list[RequestEntry]] = {}
        for entry in self.record.requests:
            arrived.setdefault(entry.token, []).append(entry)
        for token, results in self._results.items():
            assert len(results) == 1, (token, results)
            check(results[0], arrived.get(token, []))


def check(result: Result, entries: Sequence[RequestEntry]) -> None:
    """Fail when a result says something that did not happen, or a request came twice."""
    assert len(entries) <= 1, f"sent again: {entries}"
    if isinstance(result, Answer):
        assert [entry.answer for entry in entries] == [str(result.status)], (result, entries)
    elif isinstance(result, NotProcessed):
        assert not any(entry.processed for entry in entries), (result, entries)
