"""A replay: a new message with the content of an old one, for those whom that did not reach."""

from sqlalchemy import Connection

from campaigns.audience import source_of
from core.errors import ConflictError
from delivery import fanout
from delivery.dead_letters import repository as dead_letters
from delivery.dead_letters.dead_letter import DeadLetterFilter
from delivery.messages import repository, service
from delivery.messages.message import Message, NewMessage

# As many as a caller may list: more are cut by the scheduler, which may take seconds.
CUT_AT_ONCE = 10_000
_SAME = (
    "lane",
    "type",
    "policy",
    "content",
    "ttl_seconds",
    "collapse_id",
    "priority",
    "rate_per_second",
    "is_test",
    "weight",
)


class MessageStillRunsError(ConflictError):
    """Not all recipients of the message have ended. Replay it when it is finished or cancelled."""

    code = "message_still_runs"


class ReplayStillRunsError(ConflictError):
    """An earlier replay of this message has not ended. What is dead then can be replayed."""

    code = "replay_still_runs"


class NoDeadLettersError(ConflictError):
    """Nobody is left to replay it to: no dead letter fits, or each was sent to again already."""

    code = "no_dead_letters"


def replay(
    connection: Connection,
    app_id: int,
    message_id: str,
    wanted: DeadLetterFilter,
    chunk_size: int,
) -> Message:
    """Store a message for the dead letters of another, and cut it at once when they are few.

    Raises `MessageNotFoundError`, `MessageStillRunsError`, `ReplayStillRunsError` and
    `NoDeadLettersError`.
    """
    original = service.find_locked(connection, app_id, message_id)
    if original.finished_at is None:
        raise MessageStillRunsError
    if dead_letters.has_open_replay(connection, original):
        raise ReplayStillRunsError
    if original.day is None:
        # It ended before it had any recipient.
        raise NoDeadLettersError
    audience = dead_letters.audience_of(original, wanted)
    if not dead_letters.has_devices(connection, app_id, audience):
        raise NoDeadLettersError
    new = NewMessage(
        audience={"dead_letters": audience},
        send_at=None,
        replay_of=original.public_id,
        **{name: getattr(original, name) for name in _SAME},
    )
    message = repository.create(connection, app_id, new)
    if dead_letters.count(connection, app_id, audience, CUT_AT_ONCE + 1) > CUT_AT_ONCE:
        # Those who are left may be few: finding them among so many takes as long.
        return message
    source = source_of(connection, app_id, message.audience)
    return fanout.cut(connection, message, source, chunk_size)
