"""The whole platform as a benchmark sees it: started by its commands, spoken to by HTTP."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
from sqlalchemy import text

from api.services.pair import EmbeddedOptions, Pair, embedded_pair
from api.services.platform import Platform, worker_child
from bench.errors import BenchError
from bench.servers.ports import free_port
from core.database import open_engine
from delivery.sandbox.client import Address, start_sandbox, stop_sandbox

_ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_IMPORT_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Site:
    """A running platform with one app; `http` carries the app's admin key."""

    http: httpx.Client
    app_id: str
    sandbox: Address
    folder: Path
    environment: Mapping[str, str]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of an answer; raises BenchError when it is no success."""
        content = None if body is None else orjson.dumps(body)
        headers = {"content-type": "application/json"} if content else {}
        answer = self.http.request(method, path, content=content, headers=headers)
        if answer.is_error:
            raise BenchError(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()

    def load(self, kind: str, file: Path) -> None:
        """Import people or devices from a file."""
        command(["import", kind, str(file), "--json"], self.environment)


@dataclass(frozen=True, slots=True)
class Bench(Site):
    """A platform on an embedded pair of its own, under measurement."""

    pair: Pair
    load_average: list[float]

    @contextlib.contextmanager
    def another_worker(self, lane: str, number: int) -> Iterator[None]:
        """Run one worker of a lane more than the platform has."""
        folder = Path(self.environment["CARILLON_STATE_DIR"])
        child = worker_child(Platform(self.pair.urls, folder, 0, 0, self.environment), lane)
        log = self.folder / f"worker-{lane}-{number}.log"
        with process(child.arguments, child.environment, log):
            yield

    def workers(self, lane: str) -> list[psutil.Process]:
        """Return the worker processes of a lane."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[-2:] == ["api.worker", lane]:
                    found.append(process)
        return found

    def conditions(self, **further: Any) -> dict[str, Any]:
        """Return under which conditions this is measured, as the servers say."""
        return {
            "cpus": os.cpu_count(),
            "load_average_before": self.load_average,
            **durability(self.pair.database_url),
            **further,
        }


def durability(database_url: str) -> dict[str, str]:
    """Return how durable a COMMIT is, asked in a session like those of the platform."""
    engine = open_engine(database_url, pool_size=1, process="bench")
    try:
        with engine.connect() as connection:
            names = ("fsync", "synchronous_commit")
            return {name: connection.scalar(text(f"SHOW {name}")) for name in names}
    finally:
        engine.dispose()


def command(arguments: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """Run `./carillon …` to its end and return its output; raises BenchError."""
    done = subprocess.run(  # noqa: S603 - a module of ours, no shell.
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=_ROOT, env=dict(environment), capture_output=True, timeout=_IMPORT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(
            f"./carillon {arguments[0]}: {done.stderr.decode(errors='replace')[-500:]}"
        )
    return done.stdout


@contextlib.contextmanager
def running(sandbox_profile: Mapping[str, Any], settings: Mapping[str, str]) -> Iterator[Bench]:
    """Start servers, a sandbox and the platform in a folder of their own; stop them afterwards."""
    load_average = [round(value, 2) for value in os.getloadavg()]
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as name:
        folder = Path(name)
        # The database's own user has to get through.
        folder.chmod(0o755)
        profile = orjson.dumps(sandbox_profile).decode()
        with embedded_pair(EmbeddedOptions(folder / "servers", fresh=True)) as pair:
            gateway, address = start_sandbox(
                folder / "sandbox", "--mtls-port", "0", "--profile", profile
            )
            try:
                environment = _environment(folder, address, pair, settings)
                with _platform(folder, environment) as (http, app_id):
                    yield Bench(http, app_id, address, folder, environment, pair, load_average)
            finally:
                stop_sandbox(gateway)


def _environment(
    folder: Path, address: Address, pair: Pair, settings: Mapping[str, str]
) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")},
        "CARILLON_STATE_DIR": str(folder / "state"),
        "CARILLON_DATABASE_URL": pair.database_url,
        "CARILLON_REDIS_URL": pair.redis_url,
        "CARILLON_BROKER_URL": pair.broker_url,
        "CARILLON_FCM_URL": address.url,
        "CARILLON_APNS_PRODUCTION_URL": address.url,
        "CARILLON_APNS_DEVELOPMENT_URL": address.url,
        "CARILLON_GATEWAY_CA_FILE": str(address.ca),
        **settings,
    }


@contextlib.contextmanager
def _platform(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[httpx.Client, str]]:
    port = free_port()
    ports = ["--api-port", str(port), "--console-port", str(free_port())]
    ports += ["--ingest-port", str(free_port())]
    arguments = [sys.executable, "-m", "api.cli", "up", *ports]
    with process(arguments, environment, folder / "up.log") as up:
        _wait(up, port, folder / "up.log")
        made = orjson.loads(command(["app", "create", "--json", "Bench"], environment))
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {made['key']}"},
            timeout=60.0,
            trust_env=False,
        ) as http:
            yield http, made["app_id"]


@contextlib.contextmanager
def process(
    arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of ours beside the block and ask it to stop afterwards."""
    with log.open("wb") as words:
        child = subprocess.Popen(  # noqa: S603 - a module of ours, no shell.
            arguments, cwd=_ROOT, env=dict(environment), stdout=words, stderr=words
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise BenchError(f"the platform did not start: {log.read_text(errors='replace')[-1000:]}")
