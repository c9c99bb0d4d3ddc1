"""From a request to a planned message: content checked, audience resolved, cut when due."""

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from campaigns.audience import resolve, source_of, waits_for_scheduler
from campaigns.content import find_problems
from campaigns.preview import oversize
from core.clock import utc_now
from core.database import is_away
from core.errors import InvalidPayloadError
from delivery import fanout
from delivery.messages import repository
from delivery.messages.message import Message, NewMessage

_LOGGER = logging.getLogger(__name__)


def plan(
    connection: Connection,
    app_id: int,
    to: Mapping[str, Any],
    new: NewMessage,
    chunk_size: int,
) -> Message:
    """Store `new` for the audience `to`; cut it at once when it is due and small.

    Audiences that were listed are cut here, so the answer knows `targeted`; everybody and segments
    are left to the scheduler, which may take seconds for millions. Raises `InvalidPayloadError`.
    """
    problems = find_problems(new.content)
    if problems:
        raise InvalidPayloadError("A template can not be read.", fields=tuple(problems))
    too_large = oversize(new.content, utc_now())
    if too_large:
        raise InvalidPayloadError("No gateway takes a payload of this size.", fields=(too_large,))
    audience = resolve(connection, app_id, to)
    message = repository.create(connection, app_id, _with_audience(new, audience))
    if new.send_at is not None or waits_for_scheduler(audience):
        return message
    source = source_of(connection, app_id, audience)
    return fanout.cut(connection, message, source, chunk_size)


def _with_audience(new: NewMessage, audience: Mapping[str, Any]) -> NewMessage:
    values = {name: getattr(new, name) for name in NewMessage.__dataclass_fields__}
    return NewMessage(**{**values, "audience": audience})


def cut_next_due(database: Engine, chunk_size: int) -> Message | None:
    """Cut the longest due message in a transaction of its own; None when nothing is due.

    A message that can not be cut is set failed, so that it does not hold up those behind it.
    """
    with database.begin() as connection:
        due = repository.claim_due(connection)
        if due is None:
            return None
        try:
            with connection.begin_nested():
                source = source_of(connection, due.app_id, due.audience)
                return fanout.cut(connection, due, source, chunk_size)
        except InvalidPayloadError as error:
            # A segment was deleted or changed to what can not be answered, just before.
            words = error.fields[0].message if error.fields else error.detail
            return repository.fail(connection, due, words)
        except Exception as error:
            if is_away(error):
                raise
            _LOGGER.exception("message.cut_failed", extra={"message_id": due.public_id})
            return repository.fail(connection, due, f"{type(error).__name__} while cutting it")
