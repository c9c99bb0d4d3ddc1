"""The rows a step leaves behind: terminal rows, their deltas, and retries as new chunks."""

from collections import Counter

from sqlalchemy import Connection, text

from delivery.chunks.chunk import Lease, Step

_WORDS_LIMIT = 500


def storable(words: str | None) -> str | None:
    """Return words as PostgreSQL takes them: no NUL, no half characters, not endless."""
    if words is None:
        return None
    return words.replace("\0", "").encode("utf-8", "replace").decode()[:_WORDS_LIMIT]


def insert_ends(connection: Connection, lease: Lease, step: Step) -> None:
    """Write the terminal rows of a step, and their count as one delta."""
    if not step.ended:
        return
    message = lease.message
    connection.execute(
        text(
            """
            INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason,
                                gateway, attempt)
            SELECT :app_id, :day, :message_id, e.device_id, e.person_id, e.state, e.reason,
                   e.gateway, :attempt
            FROM unnest(CAST(:device_ids AS int8[]), CAST(:person_ids AS int8[]),
                        CAST(:states AS text[]), CAST(:reasons AS text[]),
                        CAST(:gateways AS text[]))
                 AS e(device_id, person_id, state, reason, gateway)
            """
        ),
        {
            "app_id": message.app_id,
            "day": message.day,
            "message_id": message.id,
            "attempt": lease.attempt,
            "device_ids": [lease.device_ids[end.position] for end in step.ended],
            "person_ids": [lease.person_ids[end.position] for end in step.ended],
            "states": [end.state for end in step.ended],
            "reasons": [storable(end.reason) for end in step.ended],
            "gateways": [storable(end.gateway) for end in step.ended],
        },
    )
    _insert_deltas(connection, lease, Counter((end.state, end.reason or "") for end in step.ended))


def _insert_deltas(connection: Connection, lease: Lease, counts: Counter[tuple[str, str]]) -> None:
    connection.execute(
        text(
            """
            INSERT INTO message_delta (app_id, message_id, state, reason, recipients)
            SELECT :app_id, :message_id, c.state, c.reason, c.recipients
            FROM unnest(CAST(:states AS text[]), CAST(:reasons AS text[]),
                        CAST(:recipients AS int8[])) AS c(state, reason, recipients)
            """
        ),
        {
            "app_id": lease.message.app_id,
            "message_id": lease.message.id,
            "states": [state for state, _ in counts],
            "reasons": [reason for _, reason in counts],
            "recipients": list(counts.values()),
        },
    )


def insert_retries(connection: Connection, lease: Lease, step: Step) -> None:
    """Move the recipients that go on into new chunks."""
    # Recipients that wait alike share one chunk; whole seconds keep the chunks few.
    groups: dict[tuple[int, int, str], list[int]] = {}
    for retry in step.retried:
        key = (retry.attempt, max(0, round(retry.delay_seconds)), retry.reason)
        groups.setdefault(key, []).append(retry.position)
    for (attempt, delay, reason), positions in groups.items():
        connection.execute(
            text(
                """
                INSERT INTO chunk (app_id, message_id, credential_id, lane, attempt,
                    first_attempt_at, wait_reason, device_ids, person_ids, remaining, due_at)
                SELECT m.app_id, m.id, :credential_id, m.lane, :attempt, :first_attempt_at,
                       :reason, CAST(:device_ids AS int8[]), CAST(:person_ids AS int8[]), :size,
                       clock_timestamp() + make_interval(secs => :delay)
                FROM message m WHERE m.app_id = :app_id AND m.id = :message_id
                """
            ),
            {
                "app_id": lease.message.app_id,
                "message_id": lease.message.id,
                "credential_id": lease.credential_id,
                "first_attempt_at": lease.first_attempt_at,
                "attempt": attempt,
                "reason": reason,
                "delay": delay,
                "size": len(positions),
                "device_ids": [lease.device_ids[position] for position in positions],
                "person_ids": [lease.person_ids[position] for position in positions],
            },
        )
