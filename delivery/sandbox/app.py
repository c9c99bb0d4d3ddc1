"""The RSGI application: reads a request, finds its gateway, and answers in its own time."""

import asyncio
from typing import Any

from delivery.sandbox.answer import Answer, Reply, Request
from delivery.sandbox.apns_gateway import answer_apns
from delivery.sandbox.connections import Connection
from delivery.sandbox.control import answer_control
from delivery.sandbox.fcm_gateway import answer_fcm, answer_token
from delivery.sandbox.gateway import Gateway
from delivery.sandbox.patience import has_lost_patience, hung_up, lose_patience
from delivery.sandbox.sink import sink


class App:
    """One listener: the certificate listener and the main one share a gateway."""

    def __init__(
        self, gateway: Gateway, stopping: asyncio.Event, *, certificate: bool, control: bool
    ) -> None:
        self._gateway = gateway
        self._stopping = stopping
        self._certificate = certificate
        self._control = control
        self._watchers: set[asyncio.Task[None]] = set()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        path: str = scope.path
        if self._control and path.startswith("/control/"):
            await self._answer_control(scope, protocol)
            return
        gateway = self._gateway
        record = gateway.record
        now = gateway.now()
        record.arrive(now)
        try:
            connection = gateway.connections.get(scope.client) or self._meet(scope, protocol)
            body = await protocol()
            if gateway.profile.sink and path != "/token":
                await _sink(gateway, scope, protocol, body, now)
                return
            provider, reply = self._route(scope, path, body, connection)
            if provider != "oauth" and not reply.hangs:
                record.tally(now, reply.answer.status)
            if reply.delay_seconds:
                await asyncio.sleep(reply.delay_seconds)
            if reply.hangs:
                await self._hang(connection)
            answer = reply.answer
            record.count(provider, answer.status, answer.label)
            _send(protocol, answer)
        finally:
            record.leave()

    def _route(
        self, scope: Any, path: str, body: bytes, connection: Connection
    ) -> tuple[str, Reply]:
        headers = scope.headers.items()
        if scope.authority and "host" not in scope.headers:
            headers.append(("host", scope.authority))
        request = Request(scope.method, path, tuple(headers), body, scope.query_string)
        if path == "/token":
            return "oauth", answer_token(self._gateway, request)
        provider = "fcm" if path.startswith("/v1/") else "apns"
        if has_lost_patience(self._gateway, connection):
            return provider, hung_up(self._gateway, provider)
        if provider == "fcm":
            reply = answer_fcm(self._gateway, request)
        else:
            reply = answer_apns(self._gateway, request, connection, certificate=self._certificate)
        return provider, lose_patience(self._gateway, connection, reply)

    def _meet(self, scope: Any, protocol: Any) -> Connection:
        """Remember a connection from its first request until it closes."""
        client, connection = scope.client, Connection()
        self._gateway.connections[client] = connection
        self._gateway.record.connections += 1
        task = asyncio.ensure_future(self._watch(client, connection, protocol))
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)
        return connection

    async def _watch(self, client: str, connection: Connection, protocol: Any) -> None:
        # granian wakes one waiter of a connection, so there is just this one.
        await protocol.client_disconnect()
        connection.closed.set()
        self._gateway.connections.pop(client, None)

    async def _hang(self, connection: Connection) -> None:
        """Wait until the client gives up or the sandbox stops."""
        waits = [
            asyncio.ensure_future(connection.closed.wait()),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _answer_control(self, scope: Any, protocol: Any) -> None:
        body = await protocol()
        request = Request(scope.method, scope.path, (), body, scope.query_string)
        _send(protocol, answer_control(self._gateway, request))


async def _sink(gateway: Gateway, scope: Any, protocol: Any, body: bytes, now: float) -> None:
    record = gateway.record
    provider, status, label, headers, content, wait = sink(gateway, scope.path, scope.headers, body)
    record.tally(now, status)
    if wait:
        await asyncio.sleep(wait)
    record.count(provider, status, label)
    if content:
        protocol.response_bytes(status, headers, content)
    else:
        protocol.response_empty(status, headers)


def _send(protocol: Any, answer: Answer) -> None:
    headers = list(answer.headers)
    if answer.body:
        protocol.response_bytes(answer.status, headers, answer.body)
    else:
        protocol.response_empty(answer.status, headers)
