"""The real API under a real HTTP server in a thread of this process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from api.context import open_services
from api.main import build_app
from api.services.readiness import answers_http, choose_port
from console import line
from core.settings import Settings
from tests.deadlines import wait_until


@contextmanager
def serve_api(settings: Settings) -> Iterator[str]:
    """Yield the address of the API over `settings`."""
    port = choose_port()
    loop = asyncio.new_event_loop()
    server = Server(
        build_app(open_services(settings)),
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
    )
    thread = Thread(target=loop.run_until_complete, args=(server.serve(),))
    thread.start()
    try:
        wait_until(lambda: answers_http(port, "/healthz"), 20, "the API answers")
        url = f"http://127.0.0.1:{port}"
        # The first request that needs the database may take longer than the console waits.
        httpx.get(f"{url}/v1/apps", headers={"Authorization": "Bearer nobody"}, timeout=60)
        with pytest.MonkeyPatch.context() as patience:
            # It shares two cores with tests that start a platform each, and stands still at times.
            patience.setattr(line, "TIMEOUT_SECONDS", 60.0)
            yield url
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join()
        loop.close()
