"""The Celery application. A task is a nudge that names a lane: it carries no data, no eta."""

import contextlib
import logging
import threading
import time
from queue import Full, Queue

from celery import Celery
from kombu import entity

from core.telemetry import log_event

LANES = ("transactional", "campaign", "maintenance")
NUDGE_TASK = "carillon.nudge"
_LOGGER = logging.getLogger(__name__)
_WAITING_NUDGES = 64
_QUIET_SECONDS = 1.0


def create_queue(broker_url: str) -> Celery:
    """Return the Celery app bound to a broker: RabbitMQ in production, Redis when embedded."""
    app = Celery("carillon", broker=broker_url)
    quorum = {"x-queue-type": "quorum"} if broker_url.startswith(("amqp", "pyamqp")) else None
    app.conf.update(
        task_queues=[entity.Queue(lane, queue_arguments=quorum) for lane in LANES],  # type: ignore[no-untyped-call]
        task_default_queue="maintenance",
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
        broker_transport_options={
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            # Otherwise kombu sleeps and tries again for two seconds.
            "max_retries": 0,
        },
        broker_connection_timeout=2,
    )
    if quorum:
        app.conf.update(worker_detect_quorum_queues=True, task_default_queue_type="quorum")
    return app


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
            self._queue.send_task(NUDGE_TASK, args=[lane], queue=lane, retry=False, expires=30)
        except Exception as error:  # noqa: BLE001
            # Whatever is wrong with the broker: what the nudge announces is committed.
            self._quiet_until = time.monotonic() + _QUIET_SECONDS
            log_event(_LOGGER, "nudge.dropped", lane=lane, error=type(error).__name__)
