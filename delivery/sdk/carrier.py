"""Which client carries a request, how long it may take, and when a client is given up."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from delivery.sdk import apns_notification, fcm_client
from delivery.sdk.apns_client import ApnsClient
from delivery.sdk.fcm_client import FcmClient
from delivery.sdk.http_client import HttpClient, open_http
from delivery.sdk.trip import Client, Trip, UnsupportedError
from delivery.sdk.trust import context_for
from delivery.transport import Ambiguous, Answer, Endpoint, NotProcessed, Request, Result

_LOGGER = logging.getLogger(__name__)
# How long a request that is out of time may take to leave its SDK.
_LEAVE_SECONDS = 1.0
# Each request given up may hold a stream for good, on our side or on the gateway's.
_ABANDONED_LIMIT = 20

Key = tuple[Endpoint, str]


@dataclass(slots=True, eq=False)
class _Held:
    """A client and how it does; times are of the loop's clock."""

    client: Client
    used_at: float
    answered_at: float
    busy: int = 0
    abandoned: int = 0


class Carrier:
    """Carries requests through SDKs; lives in one event loop."""

    def __init__(
        self, ca_file: Path | None, connect_timeout_seconds: float, idle_seconds: float
    ) -> None:
        self._ca_file = ca_file
        self._connect_timeout_seconds = connect_timeout_seconds
        self._idle_seconds = idle_seconds
        self._clients: dict[Key, _Held] = {}
        self._retired: set[_Held] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._now = asyncio.get_running_loop().time

    async def carry(self, trip: Trip, deadline: float) -> Result:
        """Return what becomes of a request, at the latest a second after its deadline.

        When cancelled, returns at once what that means for the request; but when it was withdrawn
        and may have been written meanwhile, goes on.
        """
        request = trip.request
        if deadline <= self._now():
            held = self._clients.get(self._route(request)[0])
            fault = "unsent" if held and held.client.is_connected() else "connect"
            return NotProcessed(fault, "no time was left to send it")
        try:
            held = self._client_of(request)
        except (OSError, ValueError) as error:
            return NotProcessed("certificate", f"unreadable certificate or key: {error}")
        held.busy += 1
        held.used_at = self._now()
        try:
            return await self._within(held, trip, deadline)
        except UnsupportedError as error:
            return NotProcessed("unsupported", str(error))
        finally:
            held.busy -= 1
            self._let_go(held)

    async def _within(self, held: _Held, trip: Trip, deadline: float) -> Result:
        started_at = self._now()
        work = asyncio.create_task(held.client.send(trip))
        late = await self._wait(work, trip, deadline)
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=_LEAVE_SECONDS)
        if work.done() and not work.cancelled():
            result = work.result()
            if isinstance(result, Answer):
                held.answered_at = self._now()
            return result
        if late == "withdrawn" and work.done() and not trip.written:
            return NotProcessed("withdrawn", "withdrawn before anything was written")
        self._gave_up(held, started_at)
        if trip.written or not work.done() or late == "closed":
            return Ambiguous(late)
        return NotProcessed("unsent" if held.client.is_connected() else "connect", late)

    async def _wait(self, work: asyncio.Task[Result], trip: Trip, deadline: float) -> str:
        """Wait for the end of `work`; return why there is no more waiting."""
        while True:
            try:
                await asyncio.wait({work}, timeout=deadline - self._now())
            except asyncio.CancelledError:
                # The transport is closing, and this is the answer it waits for; or somebody
                # wants the request back.
                if not trip.withdrawn:
                    return "closed"
                if not trip.written:
                    return "withdrawn"
                trip.withdrawn = False
            else:
                return "timeout"

    def _client_of(self, request: Request) -> _Held:
        key, make = self._route(request)
        held = self._clients.get(key)
        if held is None:
            self._retire_unused()
            held = _Held(make(), self._now(), self._now())
            self._clients[key] = held
        return held

    def _route(self, request: Request) -> tuple[Key, Callable[[], Client]]:
        endpoint, path, seconds = request.endpoint, request.path, self._connect_timeout_seconds

        def context() -> ssl.SSLContext:
            return context_for(endpoint, self._ca_file)

        if apns_notification.PATH.fullmatch(path):
            return (endpoint, "apns"), lambda: ApnsClient(endpoint, context(), seconds)
        if fcm_client.PATH.fullmatch(path):
            return (endpoint, path), lambda: FcmClient(endpoint, path, context(), seconds)
        return (endpoint, ""), lambda: HttpClient(open_http(seconds, verify=context()))

    def _gave_up(self, held: _Held, started_at: float) -> None:
        """Replace a client that is stuck, or that holds too many streams nobody waits for."""
        held.abandoned += 1
        if held.answered_at < started_at or held.abandoned >= _ABANDONED_LIMIT:
            self._retire(held)

    def retire(self, endpoint: Endpoint) -> None:
        """Close the clients of an endpoint as soon as they carry nothing."""
        for (one, _), held in list(self._clients.items()):
            if one == endpoint:
                self._retire(held)
                self._let_go(held)

    def _retire(self, held: _Held) -> None:
        for key, one in list(self._clients.items()):
            if one is held:
                del self._clients[key]
                self._retired.add(held)

    def _retire_unused(self) -> None:
        # Such as the clients of credentials' old versions.
        for held in list(self._clients.values()):
            if not held.busy and self._now() - held.used_at > self._idle_seconds:
                self._retire(held)
                self._let_go(held)

    def _let_go(self, held: _Held) -> None:
        if held in self._retired and not held.busy:
            self._retired.discard(held)
            task = asyncio.create_task(held.client.close())
            self._closing.add(task)
            task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOGGER.warning("sdk.close_failed", exc_info=task.exception())

    async def close(self) -> None:
        """Close all clients; to be called when nothing is under way any more."""
        for held in list(self._clients.values()):
            self._retire(held)
        for held in list(self._retired):
            held.busy = 0
            self._let_go(held)
        if self._closing:
            await asyncio.wait(set(self._closing))
