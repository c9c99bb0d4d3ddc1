"""The application's processes as commands: what `up` and `demo` start, and with which settings."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from api.module_names import INGEST_MODULES
from api.services.children import Child
from api.services.pair import Urls
from api.services.readiness import answers_http
from core.queue import LANES
from core.secrets import load_or_create_keys

ROOT = Path(__file__).resolve().parents[2]
_HOST = "127.0.0.1"
_WORKER_STOP_SECONDS = 30.0
# Requests under way are given so long; Compose waits longer than both.
_HTTP_KILL_SECONDS = 20
_HTTP_STOP_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Platform:
    """One running Carillon: its servers, its state folder, its ports, and further settings.

    `settings` are CARILLON_… variables that go before those of our own environment.
    """

    urls: Urls
    folder: Path
    api_port: int
    console_port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    # Needed by those who start the ingest process only.
    ingest_port: int = 0

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        return f"http://{_HOST}:{self.api_port}"

    @property
    def ingest_url(self) -> str:
        """Where what phones send by the thousand is taken, by a process of its own."""
        return f"http://{_HOST}:{self.ingest_port}"

    @property
    def console_url(self) -> str:
        """Where the console answers."""
        return f"http://{_HOST}:{self.console_port}"


def environment(platform: Platform) -> dict[str, str]:
    """Return the environment of every process of this platform."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "HOME": str(_home(platform.folder)),
        "CARILLON_STATE_DIR": str(platform.folder),
        "CARILLON_DATABASE_URL": platform.urls.database_url,
        "CARILLON_REDIS_URL": platform.urls.redis_url,
        "CARILLON_BROKER_URL": platform.urls.broker_url,
        "CARILLON_SECRET_KEYS": secret_keys(platform.folder),
        **platform.settings,
    }


def secret_keys(folder: Path) -> str:
    """Return CARILLON_SECRET_KEYS, or the keys of the state folder, made on first use."""
    return os.environ.get("CARILLON_SECRET_KEYS") or ",".join(
        load_or_create_keys(folder / "secret_keys")
    )


def application(platform: Platform) -> list[Child]:
    """Return all processes of the application, in the order in which they start."""
    return [
        api_child(platform),
        ingest_child(platform),
        *(worker_child(platform, lane) for lane in LANES),
        scheduler_child(platform),
        console_child(platform),
    ]


def api_child(platform: Platform) -> Child:
    """Return the HTTP process with every route."""
    return _http_child("api", platform, platform.api_port, {})


def ingest_child(platform: Platform) -> Child:
    """Return the HTTP process for what comes by the thousand: the same image, fewer routes."""
    modules = {"CARILLON_API_MODULES": ",".join(INGEST_MODULES)}
    return _http_child("ingest", platform, platform.ingest_port, modules)


def _http_child(name: str, platform: Platform, port: int, settings: Mapping[str, str]) -> Child:
    return Child(
        name=name,
        arguments=_python(
            *("granian", "--factory", "api.main:create_app", "--interface", "asgi"),
            *("--host", _HOST, "--port", str(port), "--no-ws", "--respawn-failed-workers"),
            # Readers of exports who have stopped would keep it from ending.
            *("--workers-kill-timeout", str(_HTTP_KILL_SECONDS)),
        ),
        environment={**environment(platform), **settings},
        ready=partial(answers_http, port, "/healthz"),
        stop_seconds=_HTTP_STOP_SECONDS,
    )


def worker_child(platform: Platform, lane: str) -> Child:
    """Return the worker of one lane, which is given time to end at a window boundary."""
    return Child(
        name=f"worker-{lane}",
        arguments=_python("api.worker", lane),
        environment=environment(platform),
        stop_seconds=_WORKER_STOP_SECONDS,
    )


def scheduler_child(platform: Platform) -> Child:
    """Return the process that ticks."""
    return Child("scheduler", _python("api.scheduler"), environment(platform))


def console_child(platform: Platform) -> Child:
    """Return the Streamlit console, which gets the API's address and none of our secrets."""
    kept = {k: v for k, v in environment(platform).items() if not k.startswith("CARILLON_")}
    return Child(
        name="console",
        arguments=_python(
            *("streamlit", "run", str(ROOT / "console" / "serve.py")),
            *("--server.address", _HOST, "--server.port", str(platform.console_port)),
            *("--server.headless", "true", "--server.fileWatcherType", "none"),
            *("--browser.gatherUsageStats", "false"),
        ),
        environment={**kept, "CARILLON_CONSOLE_API_URL": platform.api_url},
        ready=partial(answers_http, platform.console_port, "/_stcore/health"),
    )


def sandbox_child(folder: Path, *arguments: str) -> Child:
    """Return the sandbox gateways; `folder` gets their CA and ready.json with their address."""
    home = _home(folder.parent)
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    return Child(
        name="sandbox",
        arguments=_python(
            *("delivery.sandbox", "--folder", str(folder), "--end-with-parent"), *arguments
        ),
        environment={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)},
        ready=ready.is_file,
    )


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *arguments)


def _home(folder: Path) -> Path:
    # Streamlit writes into HOME, which may be absent or somebody's: it gets one of its own.
    home = folder / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home
