"""The doors in a process of their own, spoken to over real HTTP by many clients at once."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, text

from core.settings import Settings
from tests.api.doors import AppDoors, open_doors
from tests.chaos.crew import crew_of
from tests.deadlines import wait_until

CLIENTS = 50
_START_SECONDS = 60
_BLOCKED = text(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock'"
)


@dataclass(frozen=True, slots=True)
class Served:
    """A server process, a client of it for many threads, and an app made beside it."""

    http: httpx.Client
    app: AppDoors
    connection: Connection

    def send(self, key: str | None = None, title: str = "Hello", **fields: Any) -> httpx.Response:
        """Send a message to Ada."""
        headers = dict(self.app.server)
        if key is not None:
            headers["Idempotency-Key"] = key
        body = {"to": {"people": ["ada"]}, "content": {"title": title}, **fields}
        return self.http.post("/v1/messages", headers=headers, json=body)

    def messages(self) -> int:
        """Return how many messages are stored."""
        with self.connection.begin():
            statement = text("SELECT count(*) FROM message WHERE app_id = :id")
            return int(self.connection.scalar(statement, {"id": self.app.inner_id}) or 0)

    def blocked(self) -> list[int]:
        """Return the database sessions that wait for a lock."""
        with self.connection.begin():
            return list(self.connection.scalars(_BLOCKED))

    def end(self, session: int) -> None:
        """End a database session, as a crash does."""
        with self.connection.begin():
            self.connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": session})

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep everybody from storing messages, while reading them goes on."""
        with self.connection.engine.connect() as holder, holder.begin():
            holder.execute(text("LOCK TABLE message IN SHARE MODE"))
            yield


@contextmanager
def served(settings: Settings, folder: Path) -> Iterator[Served]:
    """Yield a server process on a free port, with an app in which Ada lives."""
    port = _free_port()
    listen = ("--host", "127.0.0.1", "--port", str(port), "--no-ws")
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=CLIENTS)
    with (
        crew_of(settings, folder) as crew,
        open_doors(settings) as doors,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as http,
        doors.services.engine.connect() as connection,
    ):
        crew._start("granian", "--factory", "api.main:create_app", "--interface", "asgi", *listen)
        wait_until(lambda: _answers(http), _START_SECONDS, "the server answers")
        app = doors.new_app()
        app.add_person("ada")
        yield Served(http, app, connection)


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
