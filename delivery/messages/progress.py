"""What became of a message's recipients, always adding up to those targeted."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from core.database import rows
from delivery.messages.message import Delivery, Message, Progress, Waiting
from delivery.messages.waiting import KILL_SWITCHES, words_for
from delivery.postings.repository import RECORDING
from delivery.receipts.receipt import Milestone
from delivery.states import RecipientState

# What the recipients of chunk `c` with credential `k` wait for, and the words that go before ours.
# `:state` is the state of their message.
WAIT_REASON = """CASE WHEN k.state = 'retired' THEN 'credential_retired'
            WHEN s.words IS NOT NULL THEN 'kill_switch'
            WHEN k.state = 'paused' THEN coalesce(k.reason, 'credential_paused')
            WHEN k.frozen_until > clock_timestamp()
                THEN coalesce(nullif(c.wait_reason, ''), 'project_frozen')
            WHEN :state = 'paused' THEN 'message_paused'
            ELSE c.wait_reason END"""
# The same where each chunk may be of another message.
WAIT_REASON_OF_ANY = WAIT_REASON.replace(
    ":state",
    "(SELECT state FROM message m WHERE m.app_id = c.app_id AND m.id = c.message_id)",
)
WAIT_WORDS = """CASE WHEN k.state = 'retired' THEN NULL
            WHEN s.words IS NOT NULL THEN s.words
            WHEN k.state = 'paused' THEN k.reason_text
            WHEN c.wait_reason = k.hold_reason THEN k.hold_text END"""
STOPPED = """JOIN credential k ON k.app_id = c.app_id AND k.id = c.credential_id
LEFT JOIN LATERAL (
    -- Why everybody is stopped is the operators' business.
    SELECT CASE WHEN s.app_id IS NULL THEN CAST(:everybody AS text)
                WHEN s.credential_id IS NULL THEN CAST(:app AS text) || s.reason
                ELSE CAST(:credential AS text) || s.reason END AS words
    FROM kill_switch s
    WHERE (s.app_id IS NULL OR s.app_id = c.app_id)
      AND (s.credential_id IS NULL OR s.credential_id = c.credential_id)
    ORDER BY s.app_id NULLS FIRST, s.credential_id NULLS FIRST LIMIT 1) s ON true"""
_SNAPSHOT = f"""
SELECT 'ended' AS kind, state, nullif(reason, '') AS reason, NULL AS words,
       sum(recipients)::bigint AS recipients, NULL::timestamptz AS due_at
FROM (SELECT state, reason, recipients FROM message_count
      WHERE app_id = :app_id AND message_id = :id
      UNION ALL
      SELECT state, reason, recipients FROM message_delta
      WHERE app_id = :app_id AND message_id = :id) AS parts
GROUP BY state, reason
UNION ALL
SELECT 'open', NULL, {WAIT_REASON}, {WAIT_WORDS}, sum(c.remaining)::bigint, min(c.due_at)
FROM chunk c {STOPPED}
WHERE c.app_id = :app_id AND c.message_id = :id
GROUP BY 3, 4
UNION ALL
SELECT 'open', NULL, '{RECORDING}', NULL, sum(recipients)::bigint, NULL FROM posting
WHERE app_id = :app_id AND message_id = :id HAVING count(*) > 0
"""  # noqa: S608  All parts are ours.


def read(connection: Connection, message: Message) -> Progress:
    """Return the progress from one snapshot: ended plus open is what was targeted."""
    counts, reasons, waiting, open_recipients = (
        _empty(),
        defaultdict[str, dict[str, int]](dict),
        [],
        0,
    )
    receipts = {milestone.value: 0 for milestone in Milestone}
    for row in _snapshot(connection, message):
        if row.state in receipts:
            receipts[row.state] = row.recipients
        elif row.kind == "ended":
            counts[row.state] = counts.get(row.state, 0) + row.recipients
            if row.reason:
                reasons[row.state][row.reason] = row.recipients
        else:
            open_recipients += row.recipients
            if row.reason:
                words = row.words or words_for(row.reason)
                waiting.append(Waiting(row.reason, words, row.recipients, row.due_at))
    return Progress(counts, dict(reasons), open_recipients, tuple(waiting), receipts)


def _empty() -> dict[str, int]:
    return {state.value: 0 for state in RecipientState}


def _snapshot(connection: Connection, message: Message) -> Sequence[Any]:
    # One statement, so that a window recorded meanwhile is seen whole or not at all.
    return rows(
        connection,
        _SNAPSHOT,
        app_id=message.app_id,
        id=message.id,
        state=message.state.value,
        **KILL_SWITCHES,
    )


def deliveries(
    connection: Connection,
    message: Message,
    *,
    limit: int,
    state: str | None,
    after: tuple[int, int],
) -> Sequence[Delivery]:
    """Return up to `limit` ends ordered by (device id, person id), after the given pair."""
    if message.day is None:
        return []
    found = rows(
        connection,
        """
        SELECT l.device_id, l.person_id, d.public_id AS device,
               l.state, l.reason, l.gateway, l.attempt, l.at
        FROM ledger l LEFT JOIN device d ON d.app_id = l.app_id AND d.id = l.device_id
        WHERE l.app_id = :app_id AND l.message_id = :id AND l.day = :day
          AND (CAST(:state AS text) IS NULL OR l.state = :state)
          AND (coalesce(l.device_id, 0), coalesce(l.person_id, 0)) > (:device_id, :person_id)
        ORDER BY coalesce(l.device_id, 0), coalesce(l.person_id, 0) LIMIT :limit
        """,
        app_id=message.app_id,
        id=message.id,
        day=message.day,
        state=state,
        device_id=after[0],
        person_id=after[1],
        limit=limit,
    )
    names = Delivery.__dataclass_fields__
    return [Delivery(**{name: getattr(row, name) for name in names}) for row in found]
