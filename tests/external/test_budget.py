"""Under load the whole platform holds no more connections than the operator's page says."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from api.services.readiness import answers_http
from bench.own.servers import free_port
from core.queue import LANES
from tests.chaos.stage import Stage
from tests.deadlines import wait_until

pytestmark = pytest.mark.external

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "operate.md"
_ROW = re.compile(r"^\| .+ \| `(carillon-[a-z-]+)` \| (\d+) \|$", re.MULTILINE)
_CALLERS = 40
_CALLS = 15
_HOLDERS = text(
    "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() "
    # One that is still starting has no name yet; who helps with a query is no connection.
    "AND pid <> pg_backend_pid() AND application_name <> '' AND backend_type = 'client backend'"
)


@contextmanager
def watched(url: str) -> Iterator[Counter[str]]:
    """Yield the largest numbers of connections seen so far, by application."""
    peaks, over = Counter[str](), threading.Event()
    engine = create_engine(url, poolclass=NullPool)

    def watch() -> None:
        with engine.connect() as connection:
            while not over.wait(0.01):
                for name, count in Counter(connection.scalars(_HOLDERS)).items():
                    peaks[name] = max(peaks[name], count)
                connection.rollback()

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield peaks
        finally:
            over.set()
            watching.result()


@pytest.fixture
def api_url(stage: Stage) -> str:
    """The address of the real HTTP process of this platform."""
    port = free_port()
    listen = ("--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws")
    stage.crew._start("granian", "--factory", "api.main:create_app", *listen)
    wait_until(lambda: answers_http(port, "/readyz"), 60, "the API is ready")
    return f"http://127.0.0.1:{port}"


def test_the_platform_stays_within_its_budget(stage: Stage, api_url: str) -> None:
    budget = {name: int(most) for name, most in _ROW.findall(_PAGE.read_text())}
    stage.add_devices(600)
    database_url = stage.scene.settings.require_database_url()
    # The stage's own API would count, too.
    stage.scene.database.dispose()
    headers = {"Authorization": f"Bearer {stage.scene.key}"}
    body = {"to": {"all": True}, "lane": "campaign", "content": {"title": "Hello"}}
    with httpx.Client(base_url=api_url, headers=headers, timeout=60) as http:

        def call(_caller: int) -> list[int]:
            return [http.get("/v1/messages").status_code for _ in range(_CALLS)]

        with watched(database_url) as peaks, ThreadPoolExecutor(_CALLERS) as callers:
            stage.crew.start("campaign")
            for lane in set(LANES) - {"campaign"}:
                stage.crew.worker(lane)
            message_id = http.post("/v1/messages", json=body).json()["id"]
            assert http.post("/v1/events", json={"name": "x", "person": "ada"}).is_success
            statuses = [one for called in callers.map(call, range(_CALLERS)) for one in called]
            wait_until(
                lambda: http.get(f"/v1/messages/{message_id}").json()["finished_at"] is not None,
                60,
                "the campaign ends",
            )

    assert set(statuses) == {200}
    assert peaks.keys() == budget.keys() - {"carillon-tool"}
    assert {name: count for name, count in peaks.items() if count > budget[name]} == {}
    assert peaks["carillon-api"] > budget["carillon-api"] // 2, "the load was too small to tell"
    print(dict(peaks))  # noqa: T201 (shown with -rP)
