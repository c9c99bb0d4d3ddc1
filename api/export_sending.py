"""How a finished export leaves: no faster than it is read, and only while somebody reads it."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Send

from api.export_file import ExportFile

_LOGGER = logging.getLogger(__name__)
# Whoever takes nothing for so long has stopped.
_STILL_SECONDS = 60.0


@contextlib.asynccontextmanager
async def noticing(receive: Receive) -> AsyncIterator[threading.Event]:
    """Yield an event that is set when the client hangs up; nobody else may receive meanwhile."""
    left = threading.Event()

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    watching = asyncio.create_task(watch())
    try:
        yield left
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def send_file(
    file: ExportFile, size: int, send: Send, left: threading.Event, seconds: float
) -> None:
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
