"""Starts processes in sessions of their own, records them, and stops those found in records.

The records outlive a supervisor that was killed, so that the next start leaves no orphan.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from api.services.account import Account

MARKER = "CARILLON_INSTANCE"
_CLOCK_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start. A higher `tier` is stopped earlier: applications before databases."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    tier: int = 2


@dataclass(frozen=True, slots=True)
class Record:
    """What is known on disk about a process; a pid alone could have been given to another."""

    name: str
    pid: int
    created: float
    stop_signal: int
    tier: int

    def process(self) -> psutil.Process | None:
        """Return the living process this record means, or None."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same_age = abs(process.create_time() - self.created) < _CLOCK_TOLERANCE_SECONDS
            if same_age and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


class ProcessBook:
    """The processes of one state folder, as one JSON file each in `folder`/run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run = folder / "run"
        self._run.mkdir(parents=True, exist_ok=True)

    def start(self, command: Command) -> "subprocess.Popen[bytes]":
        """Start `command` apart from our terminal, its output appended to its log."""
        command.log.parent.mkdir(parents=True, exist_ok=True)
        account = command.account
        with command.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own programs, no shell.
                command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=command.cwd,
                env={**command.environment, MARKER: str(self.folder)},
                start_new_session=True,
                user=None if account is None else account.user_id,
                group=None if account is None else account.group_id,
                extra_groups=None if account is None else [],
            )
        self._write(command, process.pid)
        return process

    def stop(
        self, process: "subprocess.Popen[bytes]", stop_signal: int, *, limit_seconds: float
    ) -> None:
        """Ask the process to stop, kill its whole group after the limit, and forget it."""
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(stop_signal)
        self.finish(process, limit_seconds=limit_seconds)

    def finish(self, process: "subprocess.Popen[bytes]", *, limit_seconds: float) -> None:
        """Wait for a process that was asked to stop; after the limit kill it with its group."""
        try:
            process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        kill_group(process.pid)
        self.forget(process.pid)

    def forget(self, pid: int) -> None:
        """Remove the record of a process that has ended."""
        for path, record in self._records():
            if record.pid == pid:
                path.unlink(missing_ok=True)

    def sweep(self, *, limit_seconds: float = 5.0) -> list[str]:
        """Stop everything a former supervisor left, and return the names of what lived."""
        records = [record for _, record in self._records()]
        living = [(record, process) for record in records if (process := record.process())]
        known = {process.pid for _, process in living}
        strays = [process for process in self._marked() if process.pid not in known]
        for tier in sorted({record.tier for record, _ in living}, reverse=True):
            wave = [(r.stop_signal, process) for r, process in living if r.tier == tier]
            _stop_all(wave, limit_seconds)
            for process in (process for _, process in wave):
                kill_group(process.pid)
        _stop_all([(signal.SIGTERM, process) for process in strays], limit_seconds)
        for path, _ in self._records():
            path.unlink(missing_ok=True)
        return [record.name for record, _ in living] + [f"pid {stray.pid}" for stray in strays]

    def _marked(self) -> Iterable[psutil.Process]:
        """Yield processes that carry our marker: forks whose parent died, or never recorded."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and _marker_of(process) == str(self.folder):
                    yield process

    def _write(self, command: Command, pid: int) -> None:
        try:
            created = psutil.Process(pid).create_time()
        except psutil.Error:
            return
        record = Record(command.name, pid, created, int(command.stop_signal), command.tier)
        path = self._run / f"{command.name}-{pid}.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(record)))
        fresh.replace(path)

    def _records(self) -> list[tuple[Path, Record]]:
        found = []
        for path in sorted(self._run.glob("*-*.json")):
            # A record cut off by a crash of the machine speaks of a process that died with it.
            with contextlib.suppress(ValueError, TypeError, FileNotFoundError):
                found.append((path, Record(**json.loads(path.read_text()))))
        return found


def kill_group(pid: int) -> None:
    """Kill what is left of the process group that `pid` led until it ended."""
    # A process of this number is a stranger by now: the number was given away again.
    if psutil.pid_exists(pid):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def wait_gone(processes: Iterable[psutil.Process], limit_seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended, and return those that have not.

    A zombie has ended: in a container nobody may ever collect it.
    """
    deadline = time.monotonic() + limit_seconds
    alive = [process for process in processes if _is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = [process for process in alive if _is_alive(process)]
    return alive


def _stop_all(wave: list[tuple[int, psutil.Process]], limit_seconds: float) -> None:
    for stop_signal, process in wave:
        with contextlib.suppress(psutil.Error):
            process.send_signal(stop_signal)
    stubborn = wait_gone([process for _, process in wave], limit_seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    wait_gone(stubborn, limit_seconds)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _marker_of(process: psutil.Process) -> str | None:
    return None if process.status() == psutil.STATUS_ZOMBIE else process.environ().get(MARKER)
