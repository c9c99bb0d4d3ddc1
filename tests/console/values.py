"""Values as the API answers them, for the pure parts of the console."""

from typing import Any

from console.answers import Delivery, Message, read, read_message


def message_json(message_id: str = "msg_one", **changes: Any) -> dict[str, Any]:
    return {
        "id": message_id,
        "state": "running",
        "status": "pending",
        "title": "Hello",
        "is_test": False,
        "lane": "campaign",
        "created_at": "2026-01-02T03:04:05Z",
        "scheduled_at": "2026-01-02T03:04:05Z",
        "finished_at": None,
        "rate_per_second": None,
        "failed_reason": None,
        "targeted": 10,
        "open": 2,
        "counts": {"accepted": 6, "gone": 1, "suppressed": 1},
        "reasons": {"gone": {"unregistered": 1}, "suppressed": {"no_device": 1}},
        "waiting": [],
        "receipts": {"confirmed": 4, "opened": 0},
        **changes,
    }


def message(**changes: Any) -> Message:
    return read_message(message_json(**changes))


def delivery(**changes: Any) -> Delivery:
    given = {"state": "accepted", "reason": None, "gateway": None, "attempt": 1, "device": "dev_1"}
    return read(Delivery, {**given, "at": "2026-01-02T03:04:05.5Z", **changes})
