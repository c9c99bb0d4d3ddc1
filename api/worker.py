"""A worker process of one lane: `python -m api.worker LANE`.

Celery brings nudges; a thread of ours does the work and also looks for itself, so that a lost
nudge or a broker that is away delays nothing for longer than a second.
"""

import argparse
import logging
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

from celery.signals import setup_logging, worker_shutting_down
from sqlalchemy import Engine as Database

from api.duties import Duties, guard_rules
from api.garbage import settle
from api.imports.duty import ImportDuty
from api.nudge_consumer import NudgeConsumer
from campaigns.preparer import TemplatePreparer
from core.database import open_engine
from core.queue import LANES, NUDGE_TASK, Nudger, create_queue, lane_queue
from core.secrets import SecretBox
from core.settings import Settings, read_settings
from core.telemetry import configure_logging, log_event
from delivery.credentials.opening import provider_opener
from delivery.engine.engine import Engine
from delivery.engine.opener import Opener
from delivery.engine.openings import Openings
from delivery.engine.options import EngineOptions
from delivery.engine.sender import Sender
from delivery.pacing.limits import Limits, PacingRules
from delivery.pacing.pacer import Pacer
from delivery.pacing.ramp import Ramp
from delivery.pacing.redis_permits import RedisPermits
from delivery.providers.registry import Endpoints, Providers
from delivery.providers.token_cache import RedisTokenCache
from delivery.retry import RetryRules
from delivery.transport import Transport
from delivery.transports import open_transport

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_POOL_SIZE = 4
# Where cores are scarce a campaign makes way for transactional pushes and for the API.
_NICENESS = {"transactional": 0, "campaign": 5, "maintenance": 10}
# A thread that has its answer from PostgreSQL waits for the interpreter at most about this long.
_SWITCH_SECONDS = 0.001
# Beyond the timeout of a request: to record its outcome and hand the chunk back.
_STOP_MARGIN_SECONDS = 5.0

Work = Callable[[Callable[[], bool]], object]


class Runner:
    """Runs `work` in a thread: when woken, and every second by itself, until it is stopped."""

    def __init__(
        self,
        work: Work,
        on_wake: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._work = work
        self._on_wake = on_wake
        self._on_end = on_end
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="lane", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work now."""
        if self._on_wake is not None:
            self._on_wake()
        self._awake.set()

    def stop(self) -> None:
        """Finish what is on its way and open nothing new."""
        self._stopped.set()
        self._awake.set()

    def join(self, timeout_seconds: float) -> None:
        """Wait until the work has ended."""
        self._thread.join(timeout_seconds)

    def _loop(self) -> None:
        while not self._stopped.is_set():
            self._awake.clear()
            try:
                self._work(self._stopped.is_set)
            except Exception:
                # Leases run out and the work is claimed again: the process must live on.
                _LOGGER.exception("worker.defect")
            self._awake.wait(_LOOK_SECONDS)
        if self._on_end is not None:
            self._on_end()


def build_engine(settings: Settings, database: Database, lane: str) -> Engine:
    """Return the delivery engine of one worker process, with its own connections to gateways."""
    box = SecretBox(settings.require_secret_keys())
    transport = _open_transport(settings)
    cache = RedisTokenCache.open(
        settings.require_redis_url(), box, prefix=f"{settings.redis_prefix}token:"
    )
    providers = Providers(transport, Endpoints.from_settings(settings), cache)
    opener = Opener(
        database,
        TemplatePreparer(database),
        _limits(settings, database),
        Pacer(database, RedisPermits.open(settings.require_redis_url(), settings.redis_prefix)),
    )
    rules = RetryRules(
        settings.retry_floor_seconds, settings.retry_ceiling_seconds, settings.max_attempts
    )
    sender = Sender(
        rules,
        random.random,  # spreads retries; nothing secret depends on it
        settings.request_timeout_seconds,
        settings.lease_margin_seconds,
    )
    # Transactional chunks hold a recipient or a few, so many are open at once.
    many = lane == "transactional"
    options = EngineOptions(
        lane=lane,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        lease_seconds=settings.lease_seconds,
        in_doubt_limit=settings.in_doubt_limit,
        window_size=settings.window_size,
        stop_seconds=settings.request_timeout_seconds + _STOP_MARGIN_SECONDS,
        guard=guard_rules(settings),
        max_chunks=64 if many else 16,
        claim_batch=32 if many else 4,
    )
    openings = Openings(opener, provider_opener(database, box, providers))
    return Engine(database, transport, openings, sender, options)


def _limits(settings: Settings, database: Database) -> Limits:
    rules = PacingRules(settings.fcm_quota_per_minute, settings.transactional_share)
    return Limits(rules, Ramp(database, settings.ramp_seconds))


def _open_transport(settings: Settings) -> Transport:
    proxy_url = settings.gateway_proxy_url
    return open_transport(
        settings.transport,
        settings.gateway_ca_file,
        proxy_url=(proxy_url.get_secret_value() or None) if proxy_url else None,
        connections=settings.gateway_connections,
    )


def _runners_of(settings: Settings, lane: str, nudger: Nudger) -> list[Runner]:
    database = open_engine(
        settings.require_database_url(), pool_size=_POOL_SIZE, process=f"worker-{lane}"
    )
    if lane == "maintenance":
        duties = Duties(settings, database, nudger)
        # A long import has a thread of its own: due messages do not wait for it.
        cutting = Runner(lambda _should_stop: duties.cut_due())
        return [cutting, Runner(ImportDuty(settings, database).run)]
    engine = build_engine(settings, database, lane)
    return [Runner(engine.run, engine.wake, engine.leave)]


def main() -> None:
    """Run one worker until SIGTERM; it ends at a window boundary and hands its chunks back."""
    parser = argparse.ArgumentParser(prog="python -m api.worker", description=__doc__)
    parser.add_argument("lane", choices=LANES)
    lane: str = parser.parse_args().lane
    settings = read_settings()
    configure_logging(settings.log_level)
    os.nice(_NICENESS[lane])
    sys.setswitchinterval(_SWITCH_SECONDS)
    queue = create_queue(settings.require_broker_url(), settings.queue_prefix)
    queue.conf.worker_consumer = NudgeConsumer
    runners = _runners_of(settings, lane, Nudger(queue))

    @queue.task(name=NUDGE_TASK)  # type: ignore[untyped-decorator]
    def nudged(_lane: str) -> None:
        for runner in runners:
            runner.wake()

    def stop(**_: object) -> None:
        for runner in runners:
            runner.stop()

    worker_shutting_down.connect(stop, weak=False)
    # Whoever listens to this keeps Celery from setting up logs of its own: it would silence ours.
    setup_logging.connect(_keep_our_logs)
    # Until Celery listens for it: work begins before that.
    signal.signal(signal.SIGTERM, _leave)
    settle()
    try:
        for runner in runners:
            runner.start()
        log_event(_LOGGER, "worker.started", lane=lane)
        queue.worker_main(_arguments(lane, lane_queue(settings.queue_prefix, lane)))
    finally:
        stop()
        for runner in runners:
            runner.join(settings.request_timeout_seconds + 1.5 * _STOP_MARGIN_SECONDS)
        log_event(_LOGGER, "worker.stopped", lane=lane)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _keep_our_logs(**_: object) -> None:
    # configure_logging has been called.
    logging.getLogger("celery").setLevel(logging.WARNING)
    logging.getLogger("kombu").setLevel(logging.WARNING)


def _arguments(lane: str, queue_name: str) -> list[str]:
    name = f"{lane}-{os.getpid()}@{socket.gethostname()}"
    return [
        *("--quiet", "worker", "-Q", queue_name, "--pool", "solo", "-n", name),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


if __name__ == "__main__":
    main()
