"""The Celery application. A task is a nudge that names a lane: it carries no data, no eta."""

import contextlib
import logging
import socket
import ssl
import threading
import time
from queue import Full, Queue
from typing import Any
from urllib.parse import parse_qs

from celery import Celery
from kombu import entity

from core.telemetry import log_event

LANES = ("transactional", "campaign", "maintenance")
NUDGE_TASK = "carillon.nudge"
_LOGGER = logging.getLogger(__name__)
_WAITING_NUDGES = 64
_QUIET_SECONDS = 1.0
# Nudges say all the same: those that nobody fetched need not pile up. Queues keep the arguments
# they were made with: other ones need other names.
_QUORUM = {"x-queue-type": "quorum", "x-max-length": 1_000}
_HEARTBEAT_SECONDS = 20
_REDIS_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 2}
# Only Linux can be told when to give a silent connection up.
_RABBITMQ_OPTIONS = (
    {"socket_settings": {socket.TCP_USER_TIMEOUT: 10_000}}
    if hasattr(socket, "TCP_USER_TIMEOUT")
    else {}
)


def lane_queue(prefix: str, lane: str) -> str:
    """Return the name of a lane's queue at the broker."""
    return f"{prefix}{lane}"


def create_queue(broker_url: str, prefix: str = "") -> Celery:
    """Return the Celery app bound to a broker: RabbitMQ in production, Redis when embedded.

    `prefix` starts the names of everything it makes there, so that several may share a broker.
    """
    address, _, query = broker_url.partition("?")
    is_secure = address.startswith(("amqps", "rediss"))
    app = Celery("carillon", broker=address if is_secure else broker_url)
    is_rabbitmq = broker_url.startswith(("amqp", "pyamqp"))
    arguments = _QUORUM if is_rabbitmq else None
    options = _RABBITMQ_OPTIONS if is_rabbitmq else {**_REDIS_OPTIONS, "global_keyprefix": prefix}
    names = [lane_queue(prefix, lane) for lane in LANES]
    app.conf.update(
        task_queues=[entity.Queue(name, queue_arguments=arguments) for name in names],  # type: ignore[no-untyped-call]
        task_default_queue=lane_queue(prefix, "maintenance"),
        task_routes=[lambda _name, args, *_, **__: {"queue": lane_queue(prefix, args[0])}],
        task_ignore_result=True,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A nudge that can not be published at once is dropped: the sweep sends another.
        task_publish_retry=False,
        # A queue without a leader, while RabbitMQ starts, is no reason to end a worker.
        broker_channel_error_retry=True,
        # Otherwise kombu sleeps and tries again for two seconds.
        broker_transport_options={"max_retries": 0, **options},
        broker_connection_timeout=2,
        broker_heartbeat=_HEARTBEAT_SECONDS,
    )
    if is_secure:
        app.conf.broker_use_ssl = _verification(query, is_rabbitmq=is_rabbitmq)
    if is_rabbitmq:
        # Quorum queues know no prefetch limit that is shared by the consumers of a channel.
        app.conf.update(worker_detect_quorum_queues=True, task_default_queue_type="quorum")
    return app


def _verification(query: str, *, is_rabbitmq: bool) -> dict[str, Any]:
    """Return what verifies the server; without it kombu takes the certificate of any name."""
    authorities = parse_qs(query).get("ssl_ca_certs", [None])[0]
    if is_rabbitmq:
        # None stands for the host of the URL.
        return {"server_hostname": None, "cert_reqs": ssl.CERT_REQUIRED, "ca_certs": authorities}
    return {
        "ssl_check_hostname": True,
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_ca_certs": authorities,
    }


class Nudger:
    """Publishes nudges from a thread of its own, so that nobody ever waits for a broker.

    A nudge that can not be published is dropped and said in the log: workers look for
    themselves, and the sweep nudges again. After a failure nothing is tried for a second.
    """

    def __init__(self, queue: Celery) -> None:
        self._queue = queue
        self._lanes: Queue[str | None] = Queue(_WAITING_NUDGES)
        self._quiet_until = 0.0
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def nudge(self, lane: str) -> None:
        """Have one worker of `lane` look for due chunks soon."""
        if time.monotonic() < self._quiet_until:
            return
        with contextlib.suppress(Full):
            self._lanes.put_nowait(lane)
        # Not before the first nudge: a process that forks must not leave the thread behind.
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._publish_all, name="nudger", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Publish what waits and end the thread; a broker that is away is not waited for."""
        with self._starting:
            thread = self._thread
        if thread is not None:
            with contextlib.suppress(Full):
                self._lanes.put_nowait(None)
            thread.join(_QUIET_SECONDS)

    def _publish_all(self) -> None:
        while lane := self._lanes.get():
            if time.monotonic() >= self._quiet_until:
                self._publish(lane)

    def _publish(self, lane: str) -> None:
        try:
            self._queue.send_task(NUDGE_TASK, args=[lane], retry=False, expires=30)
        except Exception as error:  # noqa: BLE001
            # Whatever is wrong with the broker: what the nudge announces is committed.
            self._quiet_until = time.monotonic() + _QUIET_SECONDS
            log_event(_LOGGER, "nudge.dropped", lane=lane, error=type(error).__name__)
