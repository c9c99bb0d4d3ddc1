"""A whole platform whose processes, servers and gateways may be disturbed one by one.

Its gateways are reached over a relay, so that connections can break without their process: what
they have recorded survives. Whoever holds the stage calls `tend`, which revives what was killed.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import httpx
import orjson
import psutil

from api.commands.migrate import migrate
from api.services.children import Child, Supervisor, supervised
from api.services.pair import say_on_stderr
from api.services.platform import (
    ROOT,
    Platform,
    api_child,
    scheduler_child,
    secret_keys,
    worker_child,
)
from bench.platform import Site, command
from bench.relay import Relay, relay_to_port
from bench.servers.ports import free_port
from bench.turmoil.plan import Pace
from bench.turmoil.servers import Servers
from delivery.sandbox.client import Address, start_sandbox, stop_sandbox

# What holds out longer is killed: whoever has interrupted us waits.
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How the platform works and how its gateways answer."""

    workers: int
    pace: Pace
    in_doubt_limit: int
    latency: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Stage:
    """The platform, its servers, and its gateways behind their relay."""

    site: Site
    servers: Servers
    pace: Pace
    gateways: Address  # past the relay: to ask them what they have recorded
    relay: Relay
    gateway_process: psutil.Process
    supervisor: Supervisor
    worker_names: tuple[str, ...]

    def workers(self) -> list[psutil.Process]:
        """Return the campaign workers that live now and are not paused."""
        found = []
        for name in self.worker_names:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(self.supervisor.pid(name))
                if process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                    found.append(process)
        return found

    def owner(self, worker: psutil.Process) -> str:
        """Return how a worker signs its leases."""
        return f"{socket.gethostname()}:{worker.pid}"


@contextlib.contextmanager
def open_stage(servers: Servers, settings: Settings) -> Iterator[Stage]:
    """Start everything on these servers, and stop it afterwards."""
    folder = servers.book.folder
    profile = orjson.dumps({"sink": True, "latency": settings.latency}).decode()
    with contextlib.ExitStack() as stack:
        process, gateways = start_sandbox(folder / "sandbox", "--profile", profile)
        stack.callback(_stop_gateways, process)
        relay, port = stack.enter_context(relay_to_port(gateways.host, gateways.port))
        behind = Address(gateways.host, port, None, gateways.ca)
        environment = _environment(servers, behind, settings)
        migrate(servers.urls.database_url)
        platform = Platform(servers.urls, folder, free_port(), 0, environment)
        supervisor = stack.enter_context(supervised(servers.book, cwd=ROOT, say=say_on_stderr))
        workers = _workers(platform, settings.workers)
        others = (
            api_child(platform),
            worker_child(platform, "maintenance"),
            scheduler_child(platform),
        )
        supervisor.start(
            replace(child, environment=environment, stop_seconds=_STOP_SECONDS)
            for child in (*others, *workers)
        )
        site = stack.enter_context(_site(platform, behind, environment))
        yield Stage(
            site,
            servers,
            settings.pace,
            gateways,
            relay,
            psutil.Process(process.pid),
            supervisor,
            tuple(worker.name for worker in workers),
        )


def _workers(platform: Platform, count: int) -> list[Child]:
    child = worker_child(platform, "campaign")
    return [replace(child, name=f"worker-campaign-{number}") for number in range(1, count + 1)]


def _stop_gateways(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(psutil.Error):
        psutil.Process(process.pid).resume()
    stop_sandbox(process)


@contextlib.contextmanager
def _site(platform: Platform, gateways: Address, environment: Mapping[str, str]) -> Iterator[Site]:
    made = orjson.loads(command(["app", "create", "--json", "Chaos"], environment))
    with httpx.Client(
        base_url=platform.api_url,
        headers={"Authorization": f"Bearer {made['key']}"},
        timeout=60.0,
        trust_env=False,
    ) as http:
        yield Site(http, made["app_id"], gateways, platform.folder, environment)


def _environment(servers: Servers, gateways: Address, settings: Settings) -> dict[str, str]:
    urls, folder = servers.urls, servers.book.folder
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    pace = settings.pace
    return {
        # Whatever else is set for somebody's own platform is none of this one's business.
        **{name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")},
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "HOME": str(home),
        "CARILLON_STATE_DIR": str(folder),
        "CARILLON_DATABASE_URL": urls.database_url,
        "CARILLON_REDIS_URL": urls.redis_url,
        "CARILLON_BROKER_URL": urls.broker_url,
        "CARILLON_QUEUE_PREFIX": servers.queue_prefix,
        "CARILLON_SECRET_KEYS": secret_keys(folder),
        "CARILLON_FCM_URL": gateways.url,
        "CARILLON_APNS_PRODUCTION_URL": gateways.url,
        "CARILLON_APNS_DEVELOPMENT_URL": gateways.url,
        "CARILLON_GATEWAY_CA_FILE": str(gateways.ca),
        "CARILLON_RAMP_SECONDS": "0",
        "CARILLON_LEASE_SECONDS": str(pace.lease),
        "CARILLON_LEASE_MARGIN_SECONDS": str(pace.lease_margin),
        "CARILLON_REQUEST_TIMEOUT_SECONDS": str(pace.request_timeout),
        "CARILLON_IN_DOUBT_LIMIT": str(settings.in_doubt_limit),
    }
