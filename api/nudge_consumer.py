"""How a worker listens for nudges: as Celery does, without its queues for delayed tasks."""

from celery.worker.consumer import Consumer

_DELAYED = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class NudgeConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, less the 28 quorum queues it would make for tasks with an eta.

    A nudge never has one, and each of those queues is a Raft group with a log of its own.
    https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/rabbitmq.html
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        """The steps in which the consumer starts."""

        default_steps = tuple(step for step in Consumer.Blueprint.default_steps if step != _DELAYED)
