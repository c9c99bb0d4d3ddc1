"""What may be done to a stored message: pause, resume, cancel, change; each move is checked."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from core.errors import ConflictError, NotFoundError
from delivery.messages import repository
from delivery.messages.message import Message
from delivery.states import MessageState, may_move


class MessageNotFoundError(NotFoundError):
    """There is no such message in this app. Check the id and the app the key belongs to."""

    code = "message_not_found"


class MessageTooLateError(ConflictError):
    """The message has ended or is past the point where this can be changed."""

    code = "message_too_late"


def find(connection: Connection, app_id: int, public_id: str) -> Message:
    """Return one message; raise `MessageNotFoundError`."""
    found = repository.find(connection, app_id, public_id)
    if found is None:
        raise MessageNotFoundError
    return found


def pause(connection: Connection, app_id: int, public_id: str) -> Message:
    """Pause a message; what is on its way still ends. Pausing twice changes nothing."""
    return _move(connection, find_locked(connection, app_id, public_id), MessageState.PAUSED)


def resume(connection: Connection, app_id: int, public_id: str) -> Message:
    """Let a paused message go on where it stopped."""
    found = find_locked(connection, app_id, public_id)
    if found.state in {MessageState.RUNNING, MessageState.SCHEDULED}:
        return found
    is_cut = found.day is not None
    return _move(connection, found, MessageState.RUNNING if is_cut else MessageState.SCHEDULED)


def cancel(connection: Connection, app_id: int, public_id: str) -> Message:
    """Cancel a message: what has not left yet ends `suppressed(cancelled)`."""
    found = find_locked(connection, app_id, public_id)
    values: dict[str, Any] = {}
    if found.day is None:
        # Nobody was planned, so nothing is left to end.
        values = {"targeted": 0, "finished_at": text("clock_timestamp()")}
    return _move(connection, found, MessageState.CANCELLED, values)


def change(
    connection: Connection, app_id: int, public_id: str, values: Mapping[str, Any]
) -> Message:
    """Change `send_at` (only before the audience is cut), or rate and weight (until the end)."""
    found = find_locked(connection, app_id, public_id)
    is_over = found.state in {
        MessageState.FINISHED,
        MessageState.CANCELLED,
        MessageState.FAILED,
    }
    if is_over:
        raise MessageTooLateError(f"The message is {found.state.value}: nothing can be changed.")
    if "send_at" in values and found.day is not None:
        raise MessageTooLateError("Sending has begun: `send_at` can not be changed any more.")
    if "send_at" in values and values["send_at"] is None:
        values = {**values, "send_at": text("clock_timestamp()")}
    if "rate_per_second" in values:
        repository.hasten(connection, found)
    return repository.change(connection, found, values) if values else found


def find_locked(connection: Connection, app_id: int, public_id: str) -> Message:
    """Return one message, locked until the transaction ends; raise `MessageNotFoundError`."""
    found = repository.find_for_update(connection, app_id, public_id)
    if found is None:
        raise MessageNotFoundError
    return found


def _move(
    connection: Connection,
    found: Message,
    wanted: MessageState,
    values: Mapping[str, Any] | None = None,
) -> Message:
    if found.state is wanted:
        return found
    if not may_move(found.state, wanted):
        raise MessageTooLateError(
            f"The message is {found.state.value}; it can not become {wanted.value}."
        )
    return repository.change(connection, found, {"state": wanted.value, **(values or {})})
