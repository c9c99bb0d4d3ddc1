"""Pushes to APNs through aioapns.

Only its sending is used: its own repeating (five times, at once, also of what was processed) is
left out, since nothing may be sent twice behind the engine's back.
"""

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit

from aioapns.common import NotificationRequest, NotificationResult
from aioapns.connection import (
    APNsBaseClientProtocol,
    APNsBaseConnectionPool,
    APNsTLSClientProtocol,
    AuthorizationHeaderProvider,
)
from aioapns.exceptions import ConnectionClosed
from aioapns.exceptions import ConnectionError as NoConnectionError

from delivery.sdk.apns_notification import Notification, to_answer, to_notification
from delivery.sdk.gate import Gate
from delivery.sdk.trip import Trip
from delivery.sdk.trust import failure
from delivery.transport import Ambiguous, Endpoint, NotProcessed, Result

_APNS_PORT = 443
# aioapns opens a connection only when all others are full, so this is rarely reached.
_CONNECTIONS = 10
_CLOSE_SECONDS = 1.0
_TURNS = 10


class _FailedError(Exception):
    """A request ended without an answer."""

    def __init__(self, result: NotProcessed | Ambiguous) -> None:
        super().__init__(result.reason)
        self.result = result


class _Authorization(AuthorizationHeaderProvider):
    """Gives each request the token that its sender has made, instead of a token of its own."""

    def __init__(self, header: str) -> None:
        self.header = header

    def get_header(self) -> str:
        return self.header


class _Connection(APNsTLSClientProtocol):
    """A connection that says what an end of it means for each of its requests."""

    # Its own 10 s would cut off slow answers, and open connections faster than Apple likes.
    INACTIVITY_TIME = 3_600
    lost_by: BaseException | None = None
    debug = b""

    async def send_notification(self, request: NotificationRequest) -> NotificationResult:
        try:
            return await super().send_notification(request)
        except ConnectionClosed as error:
            raise _FailedError(self._end_of(request, error)) from error
        except Exception as error:
            # h2 tells before it writes anything that a connection has ended or has no room.
            raise _FailedError(NotProcessed("unsent", str(error), self.debug)) from error

    def _end_of(
        self, request: NotificationRequest, error: ConnectionClosed
    ) -> NotProcessed | Ambiguous:
        if isinstance(request, Notification) and not request.trip.written:
            return NotProcessed("unsent", f"connection lost: {error}", self.debug)
        found = failure(self.lost_by or error, written=True, connected=True)
        if isinstance(found, NotProcessed):
            return found
        return Ambiguous(f"connection lost: {found.reason}", self.debug)

    def on_connection_terminated(self, event: Any) -> None:
        self.debug = event.additional_data or b""
        super().on_connection_terminated(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_by = exc
        super().connection_lost(exc)


class _Pool(APNsBaseConnectionPool):
    """Connections to one origin, under a context and authorization of ours."""

    def __init__(
        self, origin: str, context: ssl.SSLContext, connect_timeout_seconds: float
    ) -> None:
        super().__init__(max_connections=_CONNECTIONS, max_connection_attempts=1)
        parts = urlsplit(origin)
        self._host, self._port = parts.hostname or "", parts.port or _APNS_PORT
        self._context = context
        self._connect_timeout_seconds = connect_timeout_seconds
        self.authorization: _Authorization | None = None
        self.connected = False
        self._gate = Gate()

    async def acquire(self) -> APNsBaseClientProtocol:
        try:
            return await super().acquire()
        except NoConnectionError as error:
            cause = error.__context__ or error
            raise _FailedError(failure(cause, written=False, connected=False)) from error

    async def create_connection(self) -> APNsBaseClientProtocol:
        self._gate.check()
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):
                _, connection = await self.loop.create_connection(
                    self._new_connection, self._host, self._port, ssl=self._context
                )
        except OSError as error:
            self._gate.failed(error)
            raise
        self._gate.succeeded()
        self.connected = True
        return connection

    def _new_connection(self) -> _Connection:
        # Every request names its topic: see to_notification.
        connection = _Connection(
            "",
            self.loop,
            self.discard_connection,  # type: ignore[arg-type]  # aioapns itself passes it
            self.authorization,
        )
        connection.APNS_SERVER = self._host
        return connection


class ApnsClient:
    """Sends under one credential; implements `delivery.sdk.trip.Client`."""

    def __init__(
        self, endpoint: Endpoint, context: ssl.SSLContext, connect_timeout_seconds: float
    ) -> None:
        self._pool = _Pool(endpoint.origin, context, connect_timeout_seconds)
        self._under_way: set[asyncio.Task[NotificationResult]] = set()

    def is_connected(self) -> bool:
        """Tell whether there has been a connection."""
        return self._pool.connected

    async def send(self, trip: Trip) -> Result:
        """Send one request."""
        notification, authorization = to_notification(trip)
        self._authorize(authorization)
        task = asyncio.create_task(self._pool.send_notification(notification))
        self._under_way.add(task)
        task.add_done_callback(self._forget)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            if not trip.written:
                task.cancel()
            # Whoever is waiting for an answer stays: aioapns breaks the connection of all when
            # an answer comes for somebody who has left.
            raise
        try:
            return to_answer(task.result())
        except _FailedError as error:
            return error.result

    def _authorize(self, header: str | None) -> None:
        authorization = self._pool.authorization
        if authorization is not None and header is not None:
            authorization.header = header
        elif header is not None:
            self._pool.authorization = _Authorization(header)

    def _forget(self, task: asyncio.Task[NotificationResult]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            # Somebody may have given up on it: then nobody else asks how it ended.
            task.exception()

    async def close(self) -> None:
        """Close the connections."""
        for connection in list(self._pool.connections):
            if connection.transport is not None:
                connection.transport.abort()
        # A connection tells its requests a few turns of the loop later.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=_CLOSE_SECONDS)
