"""Every statement about messages. Takes a connection, never commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, text, update

from core.database import rows
from core.ids import new_public_id
from delivery.messages.message import Message, NewMessage
from delivery.states import MessageState
from delivery.tables import message

_COLUMNS = [message.c[name] for name in Message.__dataclass_fields__]


def _message(row: Row[Any]) -> Message:
    values = dict(row._mapping)  # noqa: SLF001 (the documented way to a mapping)
    return Message(**{**values, "state": MessageState(values["state"])})


def create(connection: Connection, app_id: int, new: NewMessage) -> Message:
    """Store `new` as scheduled; without `send_at` it is due at once."""
    values = {name: getattr(new, name) for name in NewMessage.__dataclass_fields__}
    values["send_at"] = new.send_at or text("clock_timestamp()")
    statement = (
        insert(message)
        .values(
            app_id=app_id,
            public_id=new_public_id("msg"),
            state=MessageState.SCHEDULED.value,
            **values,
        )
        .returning(*_COLUMNS)
    )
    return _message(connection.execute(statement).one())


def find(connection: Connection, app_id: int, public_id: str) -> Message | None:
    """Return one message of the app."""
    statement = select(*_COLUMNS).where(
        message.c.app_id == app_id, message.c.public_id == public_id
    )
    row = connection.execute(statement).one_or_none()
    return _message(row) if row else None


def find_for_update(connection: Connection, app_id: int, public_id: str) -> Message | None:
    """Return one message with its row locked until the transaction ends."""
    statement = (
        select(*_COLUMNS)
        .where(message.c.app_id == app_id, message.c.public_id == public_id)
        .with_for_update()
    )
    row = connection.execute(statement).one_or_none()
    return _message(row) if row else None


def uncut_for(
    connection: Connection, app_id: int, parts: Sequence[Mapping[str, Any]]
) -> Sequence[str]:
    """Return messages that are not cut yet and whose audience has one of these parts: up to ten."""
    has_part = or_(*(message.c.audience.contains(dict(part)) for part in parts))
    statement = (
        select(message.c.public_id)
        .where(
            message.c.app_id == app_id,
            message.c.state.in_([MessageState.SCHEDULED.value, MessageState.PAUSED.value]),
            message.c.targeted.is_(None),
            has_part,
        )
        .order_by(message.c.id)
        .limit(10)
    )
    return connection.execute(statement).scalars().all()


def page(
    connection: Connection, app_id: int, limit: int, before_id: int | None
) -> Sequence[Message]:
    """Return up to `limit` messages, newest first, older than `before_id`."""
    statement = select(*_COLUMNS).where(message.c.app_id == app_id)
    if before_id is not None:
        statement = statement.where(message.c.id < before_id)
    found = connection.execute(statement.order_by(message.c.id.desc()).limit(limit))
    return [_message(row) for row in found]


def change(connection: Connection, found: Message, values: Mapping[str, Any]) -> Message:
    """Set `values` on the message and return it anew."""
    statement = (
        update(message)
        .where(message.c.app_id == found.app_id, message.c.id == found.id)
        .values(**values, updated_at=text("clock_timestamp()"))
        .returning(*_COLUMNS)
    )
    return _message(connection.execute(statement).one())


def hasten(connection: Connection, found: Message) -> None:
    """Let chunks that went back to wait for permits ask again now; retries keep their time."""
    connection.execute(
        text(
            "UPDATE chunk SET due_at = now() WHERE app_id = :app_id AND message_id = :id "
            "AND lease_until IS NULL AND wait_reason IS NULL AND due_at > now()"
        ),
        {"app_id": found.app_id, "id": found.id},
    )


def fail(connection: Connection, found: Message, reason: str) -> Message:
    """Set a message failed that could not be carried out at all."""
    values = {
        "state": MessageState.FAILED.value,
        "failed_reason": reason,
        "targeted": 0,
        "finished_at": text("clock_timestamp()"),
    }
    return change(connection, found, values)


def claim_due(connection: Connection, app_id: int | None = None) -> Message | None:
    """Lock the longest due scheduled message that nobody else is cutting; None if none is."""
    found = rows(
        connection,
        """
        SELECT m.app_id, m.public_id FROM message m
        WHERE m.state = 'scheduled' AND m.send_at <= clock_timestamp()
          AND (CAST(:app_id AS bigint) IS NULL OR m.app_id = :app_id)
        ORDER BY m.send_at, m.id LIMIT 1
        FOR UPDATE SKIP LOCKED
        """,
        app_id=app_id,
    )
    return find(connection, found[0].app_id, found[0].public_id) if found else None


def finish_done(connection: Connection, message_id: int | None = None) -> Sequence[int]:
    """Finish messages that are cut, and whose chunks and postings are gone; return their ids."""
    done = rows(
        connection,
        """
        UPDATE message m SET
            state = CASE m.state WHEN 'cancelled' THEN 'cancelled' ELSE 'finished' END,
            finished_at = clock_timestamp(),
            first_pass_at = coalesce(m.first_pass_at, clock_timestamp()),
            updated_at = clock_timestamp()
        WHERE m.state IN ('running', 'paused', 'cancelled') AND m.finished_at IS NULL
          AND (CAST(:message_id AS bigint) IS NULL OR m.id = :message_id)
          AND (m.day IS NOT NULL OR m.state = 'cancelled')
          AND NOT EXISTS (SELECT FROM chunk c WHERE c.app_id = m.app_id AND c.message_id = m.id)
          AND NOT EXISTS (SELECT FROM posting p WHERE p.app_id = m.app_id AND p.message_id = m.id)
        RETURNING m.id
        """,
        message_id=message_id,
    )
    return [row.id for row in done]


def mark_first_pass(connection: Connection, message_id: int | None = None) -> None:
    """Stamp messages whose every recipient has been tried once: only retries are left."""
    connection.execute(
        text(
            """
            UPDATE message m SET first_pass_at = clock_timestamp()
            WHERE m.state IN ('running', 'paused') AND m.first_pass_at IS NULL
              AND m.day IS NOT NULL
              AND (CAST(:message_id AS bigint) IS NULL OR m.id = :message_id)
              AND NOT EXISTS (SELECT FROM chunk c WHERE c.app_id = m.app_id
                              AND c.message_id = m.id AND c.attempt = 1)
            """
        ),
        {"message_id": message_id},
    )


def due_lanes(connection: Connection) -> Mapping[str, int]:
    """Return how many chunks of each lane are due and not leased."""
    found = rows(
        connection,
        """
        SELECT lane, count(*) AS chunks FROM chunk
        WHERE due_at <= clock_timestamp()
          AND (lease_until IS NULL OR lease_until < clock_timestamp())
        GROUP BY lane
        """,
    )
    return {row.lane: row.chunks for row in found}


def next_send_at(connection: Connection) -> datetime | None:
    """Return when the next scheduled message is due."""
    statement = (
        select(message.c.send_at)
        .where(message.c.state == MessageState.SCHEDULED.value)
        .order_by(message.c.send_at)
        .limit(1)
    )
    return connection.scalar(statement)
