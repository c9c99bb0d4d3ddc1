"""From a request to what aioapns calls one, and from its result to an answer; pure."""

import re
from dataclasses import dataclass
from typing import Any

import orjson
from aioapns import NotificationRequest
from aioapns.common import NotificationResult

from delivery.sdk.trip import Trip, UnsupportedError
from delivery.transport import Answer

PATH = re.compile(r"/3/device/([^/?]*)")


class Expiration(int):
    """A moment in Unix seconds that says so itself.

    aioapns adds the present second to what it is given and so can write no 0, which Apple takes
    as "try once", and no moment exactly.
    """

    def __radd__(self, _now: int) -> int:
        """Return the moment itself."""
        return int(self)


@dataclass(frozen=True, slots=True)
class PushType:
    """A push type by its name: the enumeration of aioapns lacks the newer ones."""

    value: str


class Notification(NotificationRequest):
    """A request of aioapns that notes in its trip when it is written.

    aioapns reads the message of a request when it writes it, and at no other time.
    """

    __slots__ = ("_message", "trip")

    def __init__(self, trip: Trip, device_token: str, message: Any, **fields: Any) -> None:
        self.trip = trip
        super().__init__(device_token, message, **fields)

    @property
    def message(self) -> Any:
        """Return the payload, to be written at once."""
        self.trip.written = True
        return self._message

    @message.setter
    def message(self, message: Any) -> None:
        self._message = message


def to_notification(trip: Trip) -> tuple[Notification, str | None]:
    """Return the request of a trip in terms of aioapns, and its authorization.

    Raises `UnsupportedError` for what aioapns can not say. It writes the body again with blanks
    between its parts, so a payload close to the limit grows beyond it.
    """
    request = trip.request
    fields = dict(request.headers + request.varying)
    if len(fields) != len(request.headers) + len(request.varying):
        raise UnsupportedError("aioapns sends no header twice.")
    if fields.pop("content-type", "application/json") != "application/json":
        raise UnsupportedError("aioapns sends JSON only.")
    authorization = fields.pop("authorization", None)
    found = PATH.fullmatch(request.path)
    if found is None:
        raise UnsupportedError(f"aioapns knows no path {request.path}.")
    notification = Notification(trip, found[1], _message(request.body), **_named(fields))
    return notification, authorization


def to_answer(result: NotificationResult) -> Answer:
    """Return what is left of the gateway's answer: aioapns keeps no other header."""
    said = {"reason": result.description, "timestamp": result.timestamp}
    body = {name: value for name, value in said.items() if value is not None}
    return Answer(
        int(result.status),
        {"apns-id": result.notification_id},
        orjson.dumps(body) if body else b"",
    )


def _named(fields: dict[str, str]) -> dict[str, Any]:
    expiration, push_type = fields.pop("apns-expiration", None), fields.pop("apns-push-type", None)
    topic = fields.pop("apns-topic", None)
    if not topic:
        raise UnsupportedError("aioapns sends no push without a topic: give the credential one.")
    if expiration is not None and not re.fullmatch(r"-?\d+", expiration):
        raise UnsupportedError("aioapns wants the expiration as a number.")
    named = {
        "notification_id": fields.pop("apns-id", None),
        "time_to_live": None if expiration is None else Expiration(expiration),
        "priority": fields.pop("apns-priority", None),
        "collapse_key": fields.pop("apns-collapse-id", None),
        "push_type": None if push_type is None else PushType(push_type),
        "apns_topic": topic,
    }
    if fields:
        raise UnsupportedError(f"aioapns has no place for the header {min(fields)}.")
    return named


def _message(body: bytes) -> Any:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnsupportedError(f"aioapns sends JSON only: {error}.") from error
    if not isinstance(message, dict):
        raise UnsupportedError("aioapns sends a JSON object only.")
    return message
