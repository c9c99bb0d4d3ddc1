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

from bench.errors import BenchError
from bench.servers.ports import free_port
from delivery.sandbox.client import Address, start_sandbox, stop_sandbox

_ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_IMPORT_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Bench:
    """A running platform with one app; `http` carries the app's admin key."""

    http: httpx.Client
    app_id: str
    sandbox: Address
    folder: Path
    environment: Mapping[str, str]
    platform: psutil.Process

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

    def worker(self, lane: str) -> psutil.Process:
        """Return the worker process of a lane."""
        for process in self.platform.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[-2:] == ["api.worker", lane]:
                    return process
        raise BenchError(f"no worker of the lane {lane} runs")


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
    """Start a sandbox and the platform in a folder of their own; stop them afterwards."""
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as name:
        folder = Path(name)
        # The database's own user has to get through.
        folder.chmod(0o755)
        profile = orjson.dumps(sandbox_profile).decode()
        gateway, address = start_sandbox(
            folder / "sandbox", "--mtls-port", "0", "--profile", profile
        )
        try:
            with _platform(folder, address, settings) as bench:
                yield bench
        finally:
            stop_sandbox(gateway)


@contextlib.contextmanager
def _platform(folder: Path, address: Address, settings: Mapping[str, str]) -> Iterator[Bench]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")},
        "CARILLON_STATE_DIR": str(folder / "state"),
        "CARILLON_FCM_URL": address.url,
        "CARILLON_APNS_PRODUCTION_URL": address.url,
        "CARILLON_APNS_DEVELOPMENT_URL": address.url,
        "CARILLON_GATEWAY_CA_FILE": str(address.ca),
        # A ramp would be measured instead of what comes after it.
        "CARILLON_RAMP_SECONDS": "0",
        **settings,
    }
    port = free_port()
    ports = ["--api-port", str(port), "--console-port", str(free_port())]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - a module of ours, no shell.
            [sys.executable, "-m", "api.cli", "up", *ports],
            cwd=_ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(process, port, folder / "up.log")
        made = orjson.loads(command(["app", "create", "--json", "Bench"], environment))
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {made['key']}"},
            timeout=60.0,
            trust_env=False,
        ) as http:
            yield Bench(
                http, made["app_id"], address, folder, environment, psutil.Process(process.pid)
            )
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise BenchError(f"the platform did not start: {log.read_text(errors='replace')[-1000:]}")
