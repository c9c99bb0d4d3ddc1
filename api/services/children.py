"""A small supervisor: starts the application's processes, revives what dies, stops all in order."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.services.errors import StartError
from api.services.processes import Command, ProcessBook, kill_group
from api.services.signals import uninterrupted
from api.services.waiting import log_tail, wait_ready

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
# After this long a life the next death is a new incident.
_STEADY_SECONDS = 60.0
_LOG_LIMIT_BYTES = 10_000_000


def always() -> bool:
    """Be the readiness of a process that offers no sign of it."""
    return True


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the application. `ready` is asked until true; `stop_seconds` bounds SIGTERM."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = always
    ready_seconds: float = 60.0
    stop_seconds: float = 10.0


class Supervisor:
    """The children of one state folder; use `supervised` to be sure that they are stopped."""

    def __init__(self, book: ProcessBook, *, cwd: Path, say: Callable[[str], None]) -> None:
        self._book = book
        self._cwd = cwd
        self._say = say
        self._lives: dict[str, _Life] = {}

    def start(self, children: Iterable[Child]) -> None:
        """Start the children at once, then wait until each is ready; raises `StartError`."""
        started = list(children)
        for child in started:
            if child.name in self._lives:
                raise StartError(f"{child.name} has been started already.")
            self._lives[child.name] = self._launch(child)
        for child in started:
            wait_ready(
                child.name,
                self._lives[child.name].process,
                child.ready,
                log=self.log(child.name),
                limit_seconds=child.ready_seconds,
            )

    def pid(self, name: str) -> int:
        """Return the process id of a child that was started."""
        return self._lives[name].process.pid

    def is_alive(self, name: str) -> bool:
        """Tell whether the process of a child lives."""
        return self._lives[name].process.poll() is None

    def log(self, name: str) -> Path:
        """Return the file that takes a child's output."""
        return self._book.folder / "logs" / f"{name}.log"

    def tend(self) -> None:
        """Start again what has died, waiting longer each time; call it about every second."""
        for name, life in self._lives.items():
            code = life.process.poll()
            if code is None:
                continue
            now = time.monotonic()
            if life.due is None:
                life.died(now)
                self._bury(life.process.pid)
                self._say(
                    f"{name} ended with code {code}; next start in {life.pause:g} s. "
                    f"{log_tail(self.log(name), 2)}"
                )
            elif now >= life.due:
                life.revived(self._launch(life.child).process, now)

    def stop(self, names: Iterable[str] | None = None) -> None:
        """Ask the named children (all by default), last started first; kill after their limits."""
        chosen = [name for name in reversed(self._lives) if names is None or name in set(names)]
        lives = [self._lives.pop(name) for name in chosen]
        deadline = time.monotonic() + max((life.child.stop_seconds for life in lives), default=0)
        for life in lives:
            with contextlib.suppress(ProcessLookupError):
                life.process.send_signal(signal.SIGTERM)
        for life in lives:
            left = max(0.0, deadline - time.monotonic())
            # Asked once only: celery and others take a second request for impatience.
            self._book.finish(life.process, limit_seconds=left)

    def _launch(self, child: Child) -> "_Life":
        log = self.log(child.name)
        if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        command = Command(child.name, child.arguments, log, self._cwd, child.environment)
        return _Life(child, self._book.start(command), time.monotonic())

    def _bury(self, pid: int) -> None:
        kill_group(pid)
        self._book.forget(pid)


@dataclass(slots=True)
class _Life:
    """A child with its present process; `due` is when a dead one is started again."""

    child: Child
    process: "subprocess.Popen[bytes]"
    since: float
    pause: float = 0.0
    due: float | None = None

    def died(self, now: float) -> None:
        steady = now - self.since > _STEADY_SECONDS
        doubled = min(self.pause * 2, _LONGEST_PAUSE_SECONDS)
        self.pause = _FIRST_PAUSE_SECONDS if steady or not self.pause else doubled
        self.due = now + self.pause

    def revived(self, process: "subprocess.Popen[bytes]", now: float) -> None:
        self.process, self.since, self.due = process, now, None


@contextlib.contextmanager
def supervised(book: ProcessBook, *, cwd: Path, say: Callable[[str], None]) -> Iterator[Supervisor]:
    """Yield a supervisor and stop all its children at the end, whatever happens."""
    supervisor = Supervisor(book, cwd=cwd, say=say)
    try:
        yield supervisor
    finally:
        with uninterrupted():
            supervisor.stop()
