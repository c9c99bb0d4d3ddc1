"""Messages and deliveries as the outside sees them."""

from datetime import datetime
from typing import Any

from api.fields import Document, Page
from delivery.messages.message import Message, Progress
from delivery.states import COARSE_STATUS, MessageState

EXAMPLE: dict[str, Any] = {
    "id": "msg_mfrggzdfmztwq2lknnwg23tpoa",
    "state": "running",
    "status": "pending",
    "title": "Hello {{ first_name }}",
    "is_test": False,
    "replay_of": None,
    "lane": "campaign",
    "type": "push",
    "policy": "at_most_once",
    "priority": "high",
    "collapse_id": None,
    "ttl_seconds": 86_400,
    "rate_per_second": None,
    "weight": 1,
    "targeted": 3_000,
    "counts": {
        "accepted": 2_000,
        "gone": 60,
        "rejected": 20,
        "expired": 0,
        "unknown": 0,
        "suppressed": 0,
    },
    "reasons": {"gone": {"unregistered": 60}, "rejected": {"invalid_token": 20}},
    "open": 920,
    "waiting": [
        {
            "reason": "apns_invalid_provider_token",
            "words": "Apple refuses the signing key: check key id, team id and .p8 file.",
            "recipients": 920,
            "next_attempt_at": "2026-03-01T12:00:20Z",
        }
    ],
    "receipts": {"confirmed": 1_400, "opened": 90},
    "failed_reason": None,
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:01Z",
    "scheduled_at": "2026-03-01T12:00:00Z",
    "sent_at": None,
    "started_at": "2026-03-01T12:00:01Z",
    "first_pass_at": None,
    "finished_at": None,
}
DELIVERY_EXAMPLE: dict[str, Any] = {
    "device": "dev_mfrggzdfmztwq2lknnwg23tpoa",
    "person": "ada",
    "state": "gone",
    "reason": "unregistered",
    "gateway": None,
    "attempt": 1,
    "at": "2026-03-01T12:00:02Z",
}


class WaitingDocument(Document):
    """Recipients that wait, and for what, in words."""

    reason: str
    words: str
    recipients: int
    next_attempt_at: datetime | None


class MessageDocument(Document):
    """A message. `targeted` is always the sum of `counts` and `open`; null until it is cut.

    `title` is the template of its title. `receipts` counts the devices that report that it has
    arrived, and that it was opened.
    """

    id: str
    state: str
    status: str
    title: str | None
    is_test: bool
    replay_of: str | None
    lane: str
    type: str
    policy: str
    priority: str
    collapse_id: str | None
    ttl_seconds: int
    rate_per_second: float | None
    weight: int
    targeted: int | None
    counts: dict[str, int]
    reasons: dict[str, dict[str, int]]
    open: int
    waiting: list[WaitingDocument]
    receipts: dict[str, int]
    failed_reason: str | None
    created_at: datetime
    updated_at: datetime
    scheduled_at: datetime
    sent_at: datetime | None
    started_at: datetime | None
    first_pass_at: datetime | None
    finished_at: datetime | None


class MessagePage(Page):
    """Messages, newest first."""

    data: list[MessageDocument]


class DeliveryDocument(Document):
    """What became of one recipient; `device` is null for a person without any device."""

    device: str | None
    person: str | None
    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    at: datetime


class DeliveryPage(Document):
    """Ended recipients in a stable order."""

    data: list[DeliveryDocument]
    next_cursor: str | None = None


def to_document(message: Message, progress: Progress) -> MessageDocument:
    """Return the message with its progress."""
    same = (
        "is_test",
        "replay_of",
        "lane",
        "type",
        "policy",
        "priority",
        "collapse_id",
        "ttl_seconds",
        "rate_per_second",
        "weight",
        "targeted",
        "failed_reason",
        "created_at",
        "updated_at",
        "started_at",
        "first_pass_at",
        "finished_at",
    )
    is_sent = message.state is MessageState.FINISHED
    return MessageDocument(
        id=message.public_id,
        state=message.state.value,
        status=_status(message, progress),
        title=message.content.get("title"),
        counts=dict(progress.counts),
        reasons={state: dict(found) for state, found in progress.reasons.items()},
        open=progress.open,
        waiting=[WaitingDocument.model_validate(waiting) for waiting in progress.waiting],
        receipts=dict(progress.receipts),
        scheduled_at=message.send_at,
        sent_at=message.finished_at if is_sent else None,
        **{name: getattr(message, name) for name in same},
    )


def _status(message: Message, progress: Progress) -> str:
    # A finished message that reached nobody has failed, whatever the reasons.
    if message.state is MessageState.FINISHED and not progress.counts.get("accepted"):
        return "failed"
    return COARSE_STATUS[message.state]
