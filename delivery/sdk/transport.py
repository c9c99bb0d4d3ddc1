"""A transport on the SDKs: an event loop in a thread, asked and heard from ours.

Slower by far than our own sender, and less exact: see docs/reference/transports.md.
"""

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from core.clock import steady_seconds
from delivery.sdk.carrier import Carrier
from delivery.sdk.trip import Trip
from delivery.transport import Ambiguous, Done, Endpoint, NotProcessed, Request, Result

_LOGGER = logging.getLogger(__name__)
_CLOSE_SECONDS = 10.0
_GOODBYE_SECONDS = 0.05
# They log each request at level info, or header by header at level debug: tokens must not show.
_TALKATIVE = ("httpx", "httpcore", "hpack", "aioapns", "google.auth", "firebase_admin")


class SdkTransport:
    """Implements `delivery.transport.Transport`; to be used from one thread.

    Pushes to APNs go through aioapns, those to FCM through firebase-admin, all else through
    httpx. `ca_file` replaces the system's trust store. Each endpoint has connections of its own;
    how many is up to the SDKs. What was not used for `idle_seconds` is closed when another
    endpoint comes.
    """

    def __init__(
        self,
        ca_file: Path | None = None,
        *,
        connect_timeout_seconds: float = 10.0,
        idle_seconds: float = 3_600.0,
    ) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._results: SimpleQueue[tuple[int, Result]] = SimpleQueue()
        self._open: dict[int, tuple[Done, Trip]] = {}
        self._count = 0
        self._closed = False
        self._tasks: dict[Trip, asyncio.Task[Result]] = {}
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_log_fault)
        self._thread = threading.Thread(target=self._loop.run_forever, name="sdk", daemon=True)
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(
            _open_carrier(ca_file, connect_timeout_seconds, idle_seconds), self._loop
        )
        self._carrier = opening.result()

    def submit(self, request: Request, done: Done) -> None:
        """Queue a request; `done` is called exactly once, from within `pump` or `close`."""
        self._count += 1
        trip = Trip(request)
        self._open[self._count] = done, trip
        if self._closed:
            refusal = NotProcessed("unsent", "the transport is closed")
            self._results.put((self._count, refusal))
            return
        deadline = steady_seconds() + request.timeout_seconds
        self._loop.call_soon_threadsafe(self._start, self._count, trip, deadline)

    def _start(self, number: int, trip: Trip, deadline: float) -> None:
        task = self._loop.create_task(self._carrier.carry(trip, deadline))
        self._tasks[trip] = task
        task.add_done_callback(partial(self._finish, number, trip))

    def _finish(self, number: int, trip: Trip, task: asyncio.Task[Result]) -> None:
        self._tasks.pop(trip, None)
        if task.cancelled() and trip.withdrawn:
            result: Result = NotProcessed("withdrawn", "withdrawn before it began")
        elif task.cancelled():
            # How far it had come, nobody says.
            result = Ambiguous("closed")
        elif task.exception() is not None:
            _LOGGER.error("sdk.defect", exc_info=task.exception())
            result = Ambiguous("the SDK failed")
        else:
            result = task.result()
        self._results.put((number, result))

    def pump(self, timeout_seconds: float) -> None:
        """Deliver results, waiting for the first; returns at once when nothing is in flight."""
        if not self._open:
            return
        try:
            first = self._results.get(timeout=max(0.0, timeout_seconds))
        except Empty:
            return
        self._deliver(*first)
        # Those that are there by now: callbacks may submit more.
        for _ in range(self._results.qsize()):
            self._deliver(*self._results.get())

    def _deliver(self, number: int, result: Result) -> None:
        # Taken out first, so that a callback that raises is not called again.
        opened = self._open.pop(number, None)
        if opened is not None:
            opened[0](result)

    def retire(self, endpoint: Endpoint) -> None:
        """Let the connections of an endpoint end as soon as they carry nothing."""
        if not self._closed:
            self._loop.call_soon_threadsafe(self._carrier.retire, endpoint)

    def in_flight(self) -> int:
        """Return how many requests have no result yet."""
        return len(self._open)

    def unwritten(self) -> list[Done]:
        """Return the `done` of each request whose body may not have left."""
        return [done for done, trip in list(self._open.values()) if not trip.written]

    def withdraw(self, is_meant: Callable[[Done], bool]) -> None:
        """End the requests that are meant and whose body has not left, as withdrawn.

        Of its headers something may have left: an SDK tells no more. Then the stream is reset.
        """
        for done, trip in self._open.values():
            if not (self._closed or trip.written) and is_meant(done):
                self._loop.call_soon_threadsafe(self._withdraw, trip)

    def _withdraw(self, trip: Trip) -> None:
        task = self._tasks.get(trip)
        if task and not trip.written:
            trip.withdrawn = True
            task.cancel()

    def close(self) -> None:
        """Close all connections; what was in flight ends as ambiguous or not processed."""
        if not self._closed:
            self._closed = True
            self._end_loop()
        while not self._results.empty():
            self._deliver(*self._results.get())
        for number in list(self._open):
            self._deliver(number, Ambiguous("closed"))

    def _end_loop(self) -> None:
        ending = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        try:
            ending.result(_CLOSE_SECONDS)
        except concurrent.futures.TimeoutError:
            _LOGGER.warning("sdk.close_timed_out")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._carrier.close()
        # TLS says goodbye in both directions; a loop that ends before leaves its sockets open.
        await asyncio.sleep(_GOODBYE_SECONDS)
        await self._loop.shutdown_asyncgens()


async def _open_carrier(
    ca_file: Path | None, connect_timeout_seconds: float, idle_seconds: float
) -> Carrier:
    return Carrier(ca_file, connect_timeout_seconds, idle_seconds)


def _log_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what an SDK let fall in a callback; the words of an error may hold a payload."""
    error = context.get("exception")
    _LOGGER.warning("sdk.fault", extra={"what": context["message"], "error": type(error).__name__})
