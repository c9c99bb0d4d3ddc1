"""Servers of our own, as strangers run them: on TCP, with passwords, data kept on disk.

They may be killed and restarted at the same address. Nothing else on the machine is touched.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from api.services.account import SERVER_ENVIRONMENT, Account, choose_account
from api.services.processes import Command, ProcessBook
from api.services.waiting import wait_ready
from delivery.sandbox.authority import AuthorityFiles, make_authority

HOST = "127.0.0.1"
_START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Ground:
    """Where servers of one run lie: a folder that their account may enter, and their records."""

    book: ProcessBook
    folder: Path
    account: Account | None

    def make(self, name: str) -> Path:
        """Make a folder that belongs to the servers' account."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        self.give(folder)
        return folder

    def write(self, path: Path, text: str) -> Path:
        """Write a file that only the servers' account reads."""
        path.write_text(text)
        path.chmod(0o600)
        self.give(path)
        return path

    def certificates(self) -> AuthorityFiles:
        """Return an authority and the certificate of 127.0.0.1 that all servers here show."""
        files = AuthorityFiles(self.folder / "tls")
        if not files.folder.exists():
            make_authority(self.make("tls"))
            for path in files.folder.iterdir():
                self.give(path)
        return files

    def give(self, path: Path) -> None:
        """Hand a file or folder to the servers' account."""
        if self.account is not None:
            os.chown(path, self.account.user_id, self.account.group_id)


@contextlib.contextmanager
def ground(book: ProcessBook) -> Iterator[Ground]:
    """Yield a ground; its folder is removed afterwards, its processes must have ended by then."""
    folder = Path(tempfile.mkdtemp(prefix="carillon-own-"))
    made = Ground(book, folder, choose_account(folder / "none"))
    made.give(folder)
    try:
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Start:
    """How one server is started and how it shows that it answers."""

    name: str
    arguments: Sequence[str]
    answers: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM


class OwnServer:
    """One server process: start, stop, crash and start again, always at the same address."""

    def __init__(self, ground: Ground, start: Start, url: str, tls_url: str = "") -> None:
        self._ground = ground
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None
        self.url = url
        self.tls_url = tls_url

    def start(self) -> None:
        """Start the server and wait until it answers."""
        start = self._start
        log = self._ground.book.folder / "logs" / f"{start.name}.log"
        self._process = self._ground.book.start(
            Command(
                name=start.name,
                arguments=tuple(start.arguments),
                log=log,
                cwd=self._ground.folder,
                environment={**SERVER_ENVIRONMENT, **start.environment},
                account=self._ground.account,
                stop_signal=start.stop_signal,
                tier=0,
            )
        )
        wait_ready(start.name, self._process, start.answers, log=log, limit_seconds=_START_SECONDS)

    def stop(self, stop_signal: signal.Signals | None = None) -> None:
        """Ask the server to stop, as an operator does for an upgrade, or with another signal."""
        if self._process is not None:
            chosen = stop_signal or self._start.stop_signal
            self._ground.book.stop(self._process, chosen, limit_seconds=30)

    def crash(self) -> None:
        """Kill the server, as a machine that loses its power does."""
        assert self._process is not None, "a server that runs not can not crash"
        self._ground.book.stop(self._process, signal.SIGKILL, limit_seconds=30)

    def restart(self) -> None:
        """Stop the server and start it again."""
        self.stop()
        self.start()


def free_port() -> int:
    """Return a port of the loopback address that nobody uses now."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        return int(taken.getsockname()[1])


def password() -> str:
    """Return a password that fits into a URL."""
    return secrets.token_hex(12)
