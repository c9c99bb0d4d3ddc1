"""Looks at the queues of a platform at RabbitMQ without changing them."""

import contextlib
from collections.abc import Iterator

import amqp
from kombu.utils.url import parse_url

from core.queue import lane_queue
from tests.servers import own_names


@contextlib.contextmanager
def channel_to(url: str) -> Iterator[amqp.Channel]:
    """Yield a channel of its own connection."""
    parts = parse_url(url)
    address = f"{parts['hostname']}:{parts['port'] or 5672}"
    with amqp.Connection(
        address,
        parts["userid"],
        parts["password"],
        virtual_host=parts["virtual_host"] or "/",
        connect_timeout=5,
        read_timeout=10,
    ) as connection:
        yield connection.channel()


def counts(url: str, lane: str) -> tuple[int, int]:
    """Return how many nudges wait in a lane of this worker's platforms, and how many consumers."""
    name = lane_queue(own_names()["queue_prefix"], lane)
    try:
        with channel_to(url) as channel:
            found = channel.queue_declare(name, passive=True)
    except (amqp.NotFound, OSError, amqp.ConnectionError):
        return 0, 0
    return int(found.message_count), int(found.consumer_count)


def has_consumer(url: str, lane: str) -> bool:
    """Tell whether somebody listens to a lane."""
    return counts(url, lane)[1] > 0
