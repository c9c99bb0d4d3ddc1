"""Deliveries by their ids: the same id that gateways and phones see."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from core.errors import NotFoundError
from delivery.deliveries import repository, trace
from delivery.deliveries.trace import Recipient, Step
from delivery.messages.message import Message
from delivery.receipts import repository as receipts


class DeliveryNotFoundError(NotFoundError):
    """There is no such delivery in this app. Take its id from a list of deliveries."""

    code = "delivery_not_found"


@dataclass(frozen=True, slots=True)
class Traced:
    """A delivery with its steps, oldest first."""

    message: Message
    recipient: Recipient
    words: str
    steps: Sequence[Step]


def read_trace(connection: Connection, app_id: int, delivery_id: str) -> Traced:
    """Return what happened to a delivery; raise `DeliveryNotFoundError`."""
    named = repository.find_message(connection, app_id, delivery_id)
    if named is None:
        raise DeliveryNotFoundError
    message, number = named
    recipient = repository.find_recipient(connection, message, number)
    if recipient is None:
        raise DeliveryNotFoundError
    device_id = recipient.device_id
    tried = repository.list_attempts(connection, message, device_id) if device_id else ()
    reached = receipts.reached(connection, message, device_id) if device_id else ()
    found = trace.steps(message, recipient, tried, reached)
    return Traced(message, recipient, trace.summary(message, recipient, reached), found)
