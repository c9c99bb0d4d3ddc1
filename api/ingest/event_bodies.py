"""What bodies and answers of events look like. Bodies are read by hand, see event_reader.py."""

from typing import Any, Literal

from api.batches import FieldProblem
from api.fields import Document
from api.ingest.item_schemas import MOMENT, closed, request_body, sent_at
from segments.events.event import NAME_LIMIT, PROPERTIES_LIMIT, PROPERTY_NAME_LIMIT

EVENT: dict[str, Any] = {
    "uuid": "0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10",
    "name": "order_placed",
    "person": "customer-1815",
    "at": "2026-03-01T12:00:00Z",
    "properties": {"total": 49.9, "currency": "EUR", "items": 3},
}
SENT_AT = "2026-03-01T12:00:05Z"
SINGLE_ANSWER = {"uuid": EVENT["uuid"], "status": "accepted"}
BATCH_ANSWER: dict[str, Any] = {
    "accepted": 1,
    "duplicates": 0,
    "rejected": 1,
    "results": [
        {"index": 0, "status": "accepted", "uuid": EVENT["uuid"], "reason": None, "errors": None},
        {
            "index": 1,
            "status": "rejected",
            "uuid": None,
            "reason": "missing",
            "errors": [
                {
                    "pointer": "/events/1/name",
                    "code": "missing",
                    "message": "The field is required.",
                }
            ],
        },
    ],
}
_ID_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": r"^([^\x00-\x1f\x7f-\x9f.]|\.[^\x00-\x1f\x7f-\x9f.]|\.\.[^\x00-\x1f\x7f-\x9f])"
    r"[^\x00-\x1f\x7f-\x9f]*$",
}
_FIELDS: dict[str, Any] = {
    "uuid": {
        "type": "string",
        "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        "description": "Its own; the same one when it is sent again. Needed in a batch.",
    },
    "name": {
        "type": "string",
        "minLength": 1,
        "maxLength": NAME_LIMIT,
        "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$",
    },
    "person": {**_ID_SCHEMA, "description": "The id of the person in your own system."},
    "anonymous_id": {
        **_ID_SCHEMA,
        "maxLength": 200,
        "description": "Instead of `person`: what the app calls somebody who has not signed in.",
    },
    "at": {**MOMENT, "description": "When it happened; now when absent."},
    "properties": {
        "type": "object",
        "maxProperties": PROPERTIES_LIMIT,
        "propertyNames": {"minLength": 1, "maxLength": PROPERTY_NAME_LIMIT},
    },
}
_SENT_AT = sent_at("sender")


def _event(fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Return the schema of an event: of somebody known, of somebody anonymous, of a device."""
    whose = ("person", "anonymous_id")
    of_device = {name: one for name, one in fields.items() if name not in whose}
    named = [closed({**of_device, name: fields[name]}, [*required, name]) for name in whose]
    return {
        "anyOf": [
            *named,
            {
                **closed(of_device, required),
                "description": "Only of a device: it is about whom the device belongs to.",
            },
        ]
    }


REQUEST_BODY = request_body(
    "events",
    _event({**_FIELDS, "sent_at": _SENT_AT}, ["name"])["anyOf"],
    _event(_FIELDS, ["uuid", "name"]),
    _SENT_AT,
    (EVENT, SENT_AT),
)


class EventResult(Document):
    """What became of a single event."""

    uuid: str
    status: Literal["accepted", "duplicate"]


class EventItemResult(Document):
    """What became of one event of a batch; `reason` is the code of the first of its `errors`."""

    index: int
    status: Literal["accepted", "duplicate", "rejected"]
    uuid: str | None = None
    reason: str | None = None
    errors: list[FieldProblem] | None = None


class EventBatchResult(Document):
    """One result for each event, in the order of the request."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[EventItemResult]
