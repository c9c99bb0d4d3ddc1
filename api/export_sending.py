"""How a finished export leaves: no faster than it is read, and only while somebody reads it."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Send

from api.export_file import ExportFile

_LOGGER = logging.getLogger(__name__)
# Whoever takes nothing for so long has stopped.
_STILL_SECONDS = 60.0
_CANCEL_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 0.2


class Leaving:
    """Whether the client has hung up; then the statement that makes its file is cancelled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_left = False
        self._driver: Any = None  # of the connection whose statement is under way

    def is_set(self) -> bool:
        """Tell whether the client has hung up."""
        return self._has_left

    def set(self) -> None:
        """Note that it has; returns when no statement is under way any more.

        What asks a statement to end can arrive just before it begins, and has no effect then. So
        it is asked until it has ended.
        """
        self._has_left = True
        while self._ask_to_end():
            time.sleep(_ASK_AGAIN_SECONDS)

    def _ask_to_end(self) -> bool:
        """Ask the statement under way to end; return whether there may be one."""
        with self._lock:
            if self._driver is None:
                return False
            with contextlib.suppress(psycopg.Error):
                self._driver.cancel_safe(timeout=_CANCEL_SECONDS)
            return True

    @contextlib.contextmanager
    def cancelling(self, connection: Connection) -> Iterator[None]:
        """Let a connection be asked to end its statement when the client hangs up.

        Raises `ClientDisconnect` when it has.
        """
        with self._lock:
            if self._has_left:
                raise ClientDisconnect
            self._driver = connection.connection.driver_connection
        try:
            yield
        finally:
            with self._lock:
                self._driver = None
            if self.is_set():
                # It may have been asked too late: that must not end what somebody else does next.
                connection.invalidate()
                raise ClientDisconnect


@contextlib.asynccontextmanager
async def noticing(receive: Receive) -> AsyncIterator[Leaving]:
    """Yield what is set when the client hangs up; nobody else may receive meanwhile."""
    left = Leaving()

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await run_in_threadpool(left.set)

    watching = asyncio.create_task(watch())
    try:
        yield left
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def send_file(file: ExportFile, size: int, send: Send, left: Leaving, seconds: float) -> None:
    """Send the `size` bytes of a file as the body of an answer that has begun.

    It ends early when the client hangs up, takes nothing for a minute or is not done after
    `seconds`. Then less was sent than the Content-Length says, so that nobody takes it for whole.
    """
    sent, end = 0, time.monotonic() + seconds
    while piece := await run_in_threadpool(file.read):
        if left.is_set():
            return
        sent += len(piece)
        message = {"type": "http.response.body", "body": piece, "more_body": sent < size}
        try:
            # The server holds this back while the few pieces before wait for the reader.
            async with asyncio.timeout(min(_STILL_SECONDS, end - time.monotonic())):
                await send(message)
        except TimeoutError:
            _LOGGER.warning("export.cut_off", extra={"sent": sent, "size": size})
            return
