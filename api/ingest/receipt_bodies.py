"""What bodies and answers of receipts look like. Bodies are read by hand, see receipt_reader.py."""

from typing import Any, Literal

from api.batches import FieldProblem
from api.fields import Document
from api.ingest.item_schemas import MOMENT, closed, request_body, sent_at
from delivery.receipts.receipt import Milestone

MILESTONES = tuple(one.value for one in Milestone)
RECEIPT: dict[str, Any] = {
    "delivery_id": "3eb8fecb-e31d-8de0-8d8f-f928e92c2149",
    "milestone": "opened",
    "at": "2026-03-01T12:00:00Z",
}
_SENT_AT = "2026-03-01T12:00:05Z"
SINGLE_ANSWER = {"delivery_id": RECEIPT["delivery_id"], "milestone": "opened", "status": "accepted"}
BATCH_ANSWER: dict[str, Any] = {
    "accepted": 1,
    "duplicates": 0,
    "rejected": 1,
    "results": [
        {
            "index": 0,
            "status": "accepted",
            "delivery_id": RECEIPT["delivery_id"],
            "reason": None,
            "errors": None,
        },
        {
            "index": 1,
            "status": "rejected",
            "delivery_id": None,
            "reason": "missing",
            "errors": [
                {
                    "pointer": "/receipts/1/delivery_id",
                    "code": "missing",
                    "message": "The field is required.",
                }
            ],
        },
    ],
}
_FIELDS: dict[str, Any] = {
    "delivery_id": {
        "type": "string",
        "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        "description": "The `carillon_message_id` of the push.",
    },
    "milestone": {"type": "string", "enum": list(MILESTONES)},
    "at": {**MOMENT, "description": "When that was; now when absent."},
}
_SENT_AT_FIELD = sent_at("phone")
_REQUIRED = ["delivery_id", "milestone"]
REQUEST_BODY = request_body(
    "receipts",
    [closed({**_FIELDS, "sent_at": _SENT_AT_FIELD}, _REQUIRED)],
    closed(_FIELDS, _REQUIRED),
    _SENT_AT_FIELD,
    (RECEIPT, _SENT_AT),
)


class ReceiptResult(Document):
    """What became of a single receipt."""

    delivery_id: str
    milestone: str
    status: Literal["accepted", "duplicate"]


class ReceiptItemResult(Document):
    """What became of one receipt of a batch; `reason` is the code of the first of its `errors`."""

    index: int
    status: Literal["accepted", "duplicate", "rejected"]
    delivery_id: str | None = None
    reason: str | None = None
    errors: list[FieldProblem] | None = None


class ReceiptBatchResult(Document):
    """One result for each receipt, in the order of the request."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[ReceiptItemResult]
