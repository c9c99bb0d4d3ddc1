"""The embedded PostgreSQL: makes its cluster once, starts, restarts and stops the server."""

import contextlib
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Literal

import psutil
import psycopg
from psycopg import sql

from api.services.account import SERVER_ENVIRONMENT, run_as
from api.services.errors import FolderError, StartError
from api.services.places import Places
from api.services.processes import Command, ProcessBook, wait_gone
from api.services.waiting import wait_ready

USER = "carillon"
DATABASE = "carillon"
_STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
# Of the control groups of version 2 and 1, as a container sees them.
_MEMORY_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
# A container's /dev/shm of 64 MB is too small for the shared memory of parallel queries.
_SMALL_SHM_BYTES = 512 * 1024 * 1024


class Postgres:
    """One PostgreSQL server as our child process, reachable through its socket folder only."""

    def __init__(self, book: ProcessBook, places: Places, *, durable: bool) -> None:
        self._book = book
        self._places = places
        self._durable = durable
        self._cluster = places.data / "cluster"
        self._log = book.folder / "logs" / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the postmaster; raises `StartError` when it was never started."""
        if self._process is None:
            raise StartError("PostgreSQL has not been started.")
        return self._process.pid

    def url(self, database: str = DATABASE) -> str:
        """Return the SQLAlchemy URL of a database of this server."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self._places.sockets}"

    def is_alive(self) -> bool:
        """Tell whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server, making its cluster on first use, and wait until it answers."""
        if self.is_alive():
            return
        if self._process is not None:
            self._book.forget(self._process.pid)
        if not self._cluster.is_dir():
            self._make_cluster()
        self._check_version()
        self._stop_stale()
        self._process = self._book.start(self._command())
        wait_ready(
            "PostgreSQL", self._process, self._answers, log=self._log, limit_seconds=_START_SECONDS
        )
        self._make_database()

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` rolls back and checkpoints, `immediate` crashes it."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.Error):
            backends = psutil.Process(self._process.pid).children()
            self._book.stop(self._process, _STOP_SIGNALS[mode], limit_seconds=_STOP_SECONDS)
            wait_gone(backends, _STOP_SECONDS)
        self._book.forget(self._process.pid)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and start the server; the data and the URL stay."""
        self.stop(mode)
        self.start()

    def _command(self) -> Command:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._places.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": f"{_shared_buffers_mb()}MB",
            "dynamic_shared_memory_type": _shared_memory_type(),
            "synchronous_commit": "on",
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_line_prefix": "%m [%p] ",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return Command(
            name="postgres",
            arguments=(str(self._places.binaries.postgres), "-D", str(self._cluster), *options),
            log=self._log,
            cwd=Path("/"),
            environment=SERVER_ENVIRONMENT,
            account=self._places.account,
            stop_signal=signal.SIGINT,
            tier=0,
        )

    def _make_cluster(self) -> None:
        # Made under another name, so that an interrupted attempt is never taken for a cluster.
        unfinished = self._places.data / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        finished = run_as(
            self._places.account,
            (
                self._places.binaries.initdb,
                *("--pgdata", unfinished, "--username", USER, "--auth=trust"),
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
                *("--builtin-locale=C.UTF-8", "--no-instructions"),
                *(() if self._durable else ("--no-sync",)),
            ),
        )
        if finished.returncode != 0:
            raise StartError(f"initdb failed: {' '.join(finished.stderr.split())[-500:]}")
        unfinished.rename(self._cluster)

    def _check_version(self) -> None:
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        output = run_as(self._places.account, (self._places.binaries.postgres, "--version")).stdout
        present = output.split()[-1].split(".")[0] if output.split() else "unknown"
        if made_by != present:
            raise FolderError(
                f"The database in {self._places.data} was made by PostgreSQL {made_by}, this is "
                f"{present}. Move it with pg_dump, or remove it to start from empty."
            )

    def _stop_stale(self) -> None:
        """Stop a server that our records do not know but that runs on this very cluster."""
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            if Path(process.cwd()) != self._cluster.resolve():
                return
            process.send_signal(signal.SIGINT)
            wait_gone([process], _STOP_SECONDS)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self._places.sockets),
            user=USER,
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )

    def _make_database(self) -> None:
        with contextlib.closing(self._connect()) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, (DATABASE,)).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _shared_buffers_mb() -> int:
    # Only what is read is taken, and is not copied from the files for each question.
    return max(32, min(2_048, _memory_bytes() // 8 // 2**20))


def _memory_bytes() -> int:
    """Return how much memory there is for us: a container's limit is not the machine's."""
    present = psutil.virtual_memory().total
    for limit in _MEMORY_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            present = min(present, int(limit.read_text()))
    return present


def _shared_memory_type() -> str:
    shared = Path("/dev/shm")  # noqa: S108 - only its size is read.
    small = shared.is_dir() and shutil.disk_usage(shared).total < _SMALL_SHM_BYTES
    return "mmap" if small else "posix"
