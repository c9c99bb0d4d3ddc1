"""The Celery application. A task is a nudge that names a lane: it carries no data, no eta."""

import logging
import time

from celery import Celery
from kombu.entity import Queue

from core.telemetry import log_event

LANES = ("transactional", "campaign", "maintenance")
NUDGE_TASK = "carillon.nudge"
_LOGGER = logging.getLogger(__name__)


def create_queue(broker_url: str) -> Celery:
    """Return the Celery app bound to a broker: RabbitMQ in production, Redis when embedded."""
    app = Celery("carillon", broker=broker_url)
    quorum = {"x-queue-type": "quorum"} if broker_url.startswith(("amqp", "pyamqp")) else None
    app.conf.update(
        task_queues=[Queue(lane, queue_arguments=quorum) for lane in LANES],  # type: ignore[no-untyped-call]
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
        broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2},
        broker_connection_timeout=2,
    )
    if quorum:
        app.conf.update(worker_detect_quorum_queues=True, task_default_queue_type="quorum")
    return app


class Nudger:
    """Publishes nudges without making anybody wait for a broker that is away.

    A nudge that can not be published is dropped and said in the log: workers look for
    themselves, and the sweep nudges again. After a failure nothing is tried for a second.
    """

    def __init__(self, queue: Celery) -> None:
        self._queue = queue
        self._quiet_until = 0.0

    def nudge(self, lane: str) -> bool:
        """Tell one worker of `lane` to look for due chunks; False when the broker is away."""
        if time.monotonic() < self._quiet_until:
            return False
        try:
            self._queue.send_task(NUDGE_TASK, args=[lane], queue=lane, retry=False, expires=30)
        except Exception as error:  # noqa: BLE001
            # What it announces is committed: whatever is wrong with the broker, 2xx stays true.
            self._quiet_until = time.monotonic() + 1.0
            log_event(_LOGGER, "nudge.dropped", lane=lane, error=type(error).__name__)
            return False
        return True
