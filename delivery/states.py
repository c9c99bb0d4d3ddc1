"""The states of messages and recipients, and the allowed moves. Drawn in docs/states.md."""

from enum import StrEnum


class MessageState(StrEnum):
    """Where a message is in its life."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


MESSAGE_MOVES: dict[MessageState, frozenset[MessageState]] = {
    MessageState.SCHEDULED: frozenset(
        {MessageState.RUNNING, MessageState.PAUSED, MessageState.CANCELLED, MessageState.FAILED}
    ),
    MessageState.RUNNING: frozenset(
        {MessageState.PAUSED, MessageState.FINISHED, MessageState.CANCELLED}
    ),
    MessageState.PAUSED: frozenset(
        {MessageState.SCHEDULED, MessageState.RUNNING, MessageState.FINISHED,
         MessageState.CANCELLED}
    ),
    MessageState.FINISHED: frozenset(),
    MessageState.CANCELLED: frozenset(),
    MessageState.FAILED: frozenset(),
}  # fmt: skip


class RecipientState(StrEnum):
    """How one recipient ended; these exclude each other."""

    ACCEPTED = "accepted"
    GONE = "gone"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"


class SuppressedReason(StrEnum):
    """Why nothing was sent to a recipient."""

    NO_DEVICE = "no_device"
    NO_CONSENT = "no_consent"
    NO_PERMISSION = "no_permission"
    SUPPRESSION_LIST = "suppression_list"
    NO_CREDENTIAL = "no_credential"
    SUSPECT = "suspect"
    RETIRED_BEFORE_SEND = "retired_before_send"
    MOVED = "moved"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    CREDENTIAL_RETIRED = "credential_retired"
    DEFECT = "defect"
    RENDER_ERROR = "render_error"
    TOO_LARGE = "too_large"
    SKIPPED_BY_TEMPLATE = "skipped_by_template"


COARSE_STATUS = {
    MessageState.SCHEDULED: "pending",
    MessageState.RUNNING: "pending",
    MessageState.PAUSED: "pending",
    MessageState.FINISHED: "sent",
    MessageState.CANCELLED: "failed",
    MessageState.FAILED: "failed",
}


def may_move(present: MessageState, wanted: MessageState) -> bool:
    """Tell whether a message may move from `present` to `wanted`."""
    return wanted in MESSAGE_MOVES[present]
