"""The embedded Redis-protocol server (Valkey). It keeps nothing on disk: it may lose everything."""

import signal
import subprocess

import redis

from api.services.account import SERVER_ENVIRONMENT
from api.services.errors import StartError
from api.services.places import Places
from api.services.processes import Command, ProcessBook
from api.services.waiting import wait_ready

_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


class Valkey:
    """One Valkey server as our child process, reachable through its unix socket only."""

    def __init__(self, book: ProcessBook, places: Places) -> None:
        self._book = book
        self._places = places
        self._socket = places.sockets / "valkey.sock"
        self._log = book.folder / "logs" / "valkey.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the server; raises `StartError` when it was never started."""
        if self._process is None:
            raise StartError("Valkey has not been started.")
        return self._process.pid

    def url(self, database: int = 0) -> str:
        """Return the URL of one of the 16 databases for redis-py."""
        return f"unix://{self._socket}?db={database}"

    def broker_url(self, database: int = 1) -> str:
        """Return the URL of one of the 16 databases for Celery."""
        return f"redis+socket://{self._socket}?virtual_host={database}"

    def is_alive(self) -> bool:
        """Tell whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server, empty, and wait until it answers."""
        if self.is_alive():
            return
        if self._process is not None:
            self._book.forget(self._process.pid)
        self._process = self._book.start(self._command())
        wait_ready(
            "Valkey", self._process, self._answers, log=self._log, limit_seconds=_START_SECONDS
        )

    def stop(self) -> None:
        """Stop the server; everything in it is gone."""
        if self._process is not None:
            self._book.stop(self._process, signal.SIGTERM, limit_seconds=_STOP_SECONDS)

    def _command(self) -> Command:
        folder = str(self._places.sockets)
        return Command(
            name="valkey",
            arguments=(
                str(self._places.binaries.valkey_server),
                *("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
                *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"),
                *("--dir", folder, "--daemonize", "no", "--set-proc-title", "no"),
            ),
            log=self._log,
            cwd=self._places.sockets,
            environment=SERVER_ENVIRONMENT,
            account=self._places.account,
            tier=1,
        )

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url(), socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
