"""SQL of single deliveries: the message an id names, where the recipient is, what was tried."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from core.database import rows
from core.ids import RecipientNumber, delivery_tag, recipient_of
from delivery.deliveries.trace import Attempt, Recipient
from delivery.messages import repository as messages
from delivery.messages.message import Message
from delivery.messages.progress import STOPPED, WAIT_REASON, WAIT_WORDS
from delivery.messages.waiting import KILL_SWITCHES
from delivery.postings.repository import RECORDING

# Nobody reads more than this of one recipient; a retry is at least seconds after the other.
_ATTEMPTS_LIMIT = 200
_TAGGED = """
SELECT public_id FROM message WHERE app_id = :app_id
    AND substr(encode(sha256(public_id::bytea), 'hex'), 1, 15) = :tag
"""
# One statement, so that a recipient that ends meanwhile is found in one of the places.
_RECIPIENT = f"""
SELECT l.state, l.reason, l.gateway, l.attempt, l.at, l.device_id, l.person_id,
       CAST(NULL AS text) AS words, CAST(NULL AS timestamptz) AS due_at,
       CAST(NULL AS timestamptz) AS first_attempt_at, false AS is_under_way, false AS is_held,
       false AS awaits_permit
FROM ledger l
WHERE l.app_id = :app_id AND l.message_id = :message_id AND l.day = :day
  AND (l.device_id = :device_id OR (l.device_id IS NULL AND l.person_id = :person_id))
UNION ALL
SELECT 'pending', {WAIT_REASON}, NULL, c.attempt, NULL, u.device_id, u.person_id, {WAIT_WORDS},
       c.due_at, c.first_attempt_at, u.place <= c.intended AND c.lease_until IS NOT NULL,
       coalesce(c.lease_until > clock_timestamp(), false),
       c.lease_until IS NULL AND c.wait_reason IS NULL AND c.due_at > clock_timestamp()
FROM chunk c {STOPPED}
CROSS JOIN LATERAL unnest(c.device_ids, c.person_ids) WITH ORDINALITY
    AS u(device_id, person_id, place)
WHERE c.app_id = :app_id AND c.message_id = :message_id
  AND c.device_ids @> ARRAY[CAST(:device_id AS bigint)] AND u.device_id = :device_id
  AND (u.place > c.intended OR u.place - 1 = ANY(c.open))
UNION ALL
SELECT 'pending', '{RECORDING}', NULL, 0, NULL, u.device_id, u.person_id, NULL, NULL, NULL, false,
       false, false
FROM posting p
CROSS JOIN LATERAL unnest(p.device_ids, p.person_ids) AS u(device_id, person_id)
WHERE p.app_id = :app_id AND p.message_id = :message_id
  AND (u.device_id = :device_id OR (u.device_id IS NULL AND u.person_id = :person_id))
"""  # noqa: S608  All parts are ours.


def find_message(
    connection: Connection, app_id: int, delivery_id: str
) -> tuple[Message, RecipientNumber] | None:
    """Return the message and the recipient that an id names; it may have no such recipient."""
    tag = delivery_tag(delivery_id)
    for row in rows(connection, _TAGGED, app_id=app_id, tag=tag) if tag else ():
        number = recipient_of(delivery_id, row.public_id)
        message = messages.find(connection, app_id, row.public_id)
        if number is not None and message is not None:
            return message, number
    return None


def find_recipient(
    connection: Connection, message: Message, number: RecipientNumber
) -> Recipient | None:
    """Return a recipient from the ledger, or from the chunk or posting it is open in."""
    found = rows(
        connection,
        _RECIPIENT,
        app_id=message.app_id,
        message_id=message.id,
        day=message.day,
        device_id=number.device_id,
        person_id=number.person_id,
        state=message.state.value,
        **KILL_SWITCHES,
    )
    return _recipient(found[0]) if found else None


def _recipient(row: Any) -> Recipient:
    return Recipient(**{name: getattr(row, name) for name in Recipient.__dataclass_fields__})


def list_attempts(connection: Connection, message: Message, device_id: int) -> Sequence[Attempt]:
    """Return the attempts after which a device was to be tried again, oldest first."""
    found = rows(
        connection,
        """
        SELECT attempt, reason, at, due_at FROM attempt_log
        WHERE app_id = :app_id AND message_id = :message_id AND device_id = :device_id
          AND day = :day
        ORDER BY at LIMIT :limit
        """,
        app_id=message.app_id,
        message_id=message.id,
        device_id=device_id,
        day=message.day,
        limit=_ATTEMPTS_LIMIT,
    )
    return [Attempt(row.attempt, row.reason, row.at, row.due_at) for row in found]
