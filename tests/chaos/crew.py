"""Real processes of a platform as children of a test; all are ended by their id, whatever happens.

Their logs lie in the test's folder, and the end of a log stands in every failure about it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import SecretStr

from core.settings import Settings
from tests.deadlines import wait_until

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Member:
    """One child process."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.process.kill()
        assert self.process.wait(30) == -signal.SIGKILL, self.tail()

    def terminate(self, limit_seconds: float) -> float:
        """Ask it to stop, which must succeed within the limit; return the seconds it took."""
        started = time.monotonic()
        self.process.terminate()
        try:
            code = self.process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} did not stop in {limit_seconds:g} s. {self.tail()}"
            ) from None
        assert code == 0, f"{self.name} ended with {code}. {self.tail()}"
        return time.monotonic() - started

    def says(self, event: str) -> bool:
        """Tell whether its log holds an event; a process that has died fails the test."""
        assert self.process.poll() is None, f"{self.name} died. {self.tail()}"
        return f'"event":"{event}"'.encode() in self.log.read_bytes()

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-3_000:]


class Crew:
    """The processes of one platform."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._environment = _environment(settings, folder)
        self._folder = folder
        self._members: list[Member] = []

    def worker(self, lane: str = "campaign") -> Member:
        """Start a worker of a lane and wait until it works."""
        member = self._start("api.worker", lane)
        wait_until(lambda: member.says("worker.started"), 60, "a worker starts")
        return member

    def start(self, lane: str = "campaign") -> Member:
        """Start a scheduler and a worker, wait until both work, and return the worker."""
        scheduler, worker = self._start("api.scheduler"), self._start("api.worker", lane)
        wait_until(lambda: scheduler.says("scheduler.started"), 60, "a scheduler starts")
        wait_until(lambda: worker.says("worker.started"), 60, "a worker starts")
        return worker

    def _start(self, module: str, *arguments: str) -> Member:
        name = "-".join((*module.split(".")[1:], *arguments, str(len(self._members))))
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                (sys.executable, "-m", module, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment,
            )
        member = Member(name, process, log)
        self._members.append(member)
        return member

    def close(self) -> None:
        """Kill what is left with its forks and collect it, so that nothing stays."""
        forks = [fork for member in self._members for fork in _forks_of(member.process.pid)]
        for member in self._members:
            member.process.kill()
        for fork in forks:
            # A server that is killed, as granian here, leaves its forks to nobody.
            with contextlib.suppress(psutil.NoSuchProcess):
                fork.kill()
        for member in self._members:
            member.process.wait(30)
        _, left = psutil.wait_procs(forks, timeout=30)
        assert left == []


def _forks_of(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextlib.contextmanager
def crew_of(settings: Settings, folder: Path) -> Iterator[Crew]:
    """Yield a crew that is ended afterwards."""
    crew = Crew(settings, folder)
    try:
        yield crew
    finally:
        crew.close()


def _environment(settings: Settings, folder: Path) -> dict[str, str]:
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    ours = {
        f"CARILLON_{name.upper()}": (
            value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        )
        for name, value in values.items()
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CARILLON_")}
    return {**kept, "PYTHONPATH": str(_ROOT), "HOME": str(folder), **ours}
