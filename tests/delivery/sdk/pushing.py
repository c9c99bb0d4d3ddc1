"""Requests as the providers make them, and their results in order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

import orjson

from bench.faults.request import FaultRequest
from bench.faults.script import Script, greet
from bench.faults.server import FaultServer
from delivery.transport import Endpoint, Fields, Request, Result, Transport
from tests.delivery.gathering import drain

Make = Callable[..., Request]


def to_apns(
    server: FaultServer, number: int = 0, seconds: float = 10.0, *, payload: bytes = b"{}"
) -> Request:
    """A push to APNs; its token and its id are made of a number."""
    headers: Fields = (
        ("content-type", "application/json"),
        ("apns-push-type", "alert"),
        ("apns-priority", "10"),
        ("apns-topic", "com.example.carillon"),
    )
    varying: Fields = (
        ("authorization", "bearer provider-token"),
        ("apns-id", str(UUID(int=number))),
        ("apns-expiration", "1795360000"),
    )
    path = f"/3/device/{number:064x}"
    return Request(Endpoint(server.url, "apns"), path, headers, varying, payload, seconds)


def to_fcm(server: FaultServer, number: int = 0, seconds: float = 10.0) -> Request:
    """A push to FCM; its token is made of a number."""
    headers: Fields = (
        ("authorization", "Bearer access-token"),
        ("content-type", "application/json"),
    )
    body = orjson.dumps({"message": {"token": f"token-{number}", "data": {"a": "b"}}})
    path = "/v1/projects/p/messages:send"
    return Request(Endpoint(server.url, "fcm"), path, headers, (), body, seconds)


def to_http(server: FaultServer, number: int = 0, seconds: float = 10.0) -> Request:
    """A request that no SDK is for."""
    headers: Fields = (("content-type", "application/x-www-form-urlencoded"),)
    body = b"number=%d" % number
    return Request(Endpoint(server.url, "oauth"), "/token", headers, (), body, seconds)


MAKERS: list[Make] = [to_apns, to_fcm, to_http]


def bound_to(request: Request, binding: str) -> Request:
    """The same request under another credential."""
    return replace(request, endpoint=Endpoint(request.endpoint.origin, binding))


def send(transport: Transport, requests: Sequence[Request]) -> list[Result]:
    """Send, wait, and return the results in the order of the requests."""
    results: dict[int, Result] = {}
    for number, request in enumerate(requests):
        transport.submit(request, partial(results.__setitem__, number))
    drain(transport, 30)
    return [results[number] for number in range(len(requests))]


def together(count: int, act: Callable[[list[FaultRequest]], object]) -> Script:
    """Hold the first `count` requests back, then do something about them all; accept later ones."""
    held: list[FaultRequest] = []

    def arrived(request: FaultRequest) -> None:
        if len(held) == count:
            request.accept()
            return
        held.append(request)
        if len(held) == count:
            act(held)

    return Script(arrived=arrived, opened=greet())
