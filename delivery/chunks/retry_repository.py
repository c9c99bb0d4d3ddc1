"""Recipients that go on: each step's retries become new chunks, and are kept for their traces."""

from typing import Any

import psycopg

from delivery.chunks.arrays import numbers, storable
from delivery.chunks.chunk import Lease, Step

_NEW_CHUNK = """
INSERT INTO chunk (app_id, message_id, credential_id, lane, attempt, first_attempt_at,
                   wait_reason, device_ids, person_ids, remaining, due_at)
SELECT m.app_id, m.id, %(credential_id)s, m.lane, %(attempt)s, %(first_attempt_at)s,
       CAST(%(reason)s AS text), CAST(%(device_ids)s AS int8[]), CAST(%(person_ids)s AS int8[]),
       %(size)s, clock_timestamp() + make_interval(secs => %(delay)s)
FROM message m WHERE m.app_id = %(app_id)s AND m.id = %(message_id)s
"""
_AND_KEPT = f"""
WITH made AS ({_NEW_CHUNK} RETURNING due_at)
INSERT INTO attempt_log (app_id, day, message_id, device_id, attempt, reason, at, due_at)
SELECT %(app_id)s, %(day)s, %(message_id)s, d.id, %(failed_attempt)s, %(reason)s,
       made.due_at - make_interval(secs => %(delay)s), made.due_at
FROM made, unnest(CAST(%(device_ids)s AS int8[])) AS d(id)
"""  # noqa: S608 - both texts are ours.


def insert_retries(connection: psycopg.Connection[Any], lease: Lease, step: Step) -> None:
    """Move the recipients that go on into new chunks, and keep why."""
    # Recipients that wait alike share one chunk; whole seconds keep the chunks few.
    groups: dict[tuple[int, int, str], list[int]] = {}
    for retry in step.retried:
        key = (retry.attempt, max(0, round(retry.delay_seconds)), retry.reason)
        groups.setdefault(key, []).append(retry.position)
    for (attempt, delay, reason), positions in groups.items():
        values = {
            "app_id": lease.message.app_id,
            "day": lease.message.day,
            "message_id": lease.message.id,
            "credential_id": lease.credential_id,
            "first_attempt_at": lease.first_attempt_at,
            "attempt": attempt,
            "failed_attempt": lease.attempt,
            "reason": storable(reason),
            "delay": delay,
            "size": len(positions),
            "device_ids": numbers([lease.device_ids[position] for position in positions]),
            "person_ids": numbers([lease.person_ids[position] for position in positions]),
        }
        is_news = _is_news(lease, attempt, reason)
        connection.execute(_AND_KEPT if is_news else _NEW_CHUNK, values)


def _is_news(lease: Lease, attempt: int, reason: str) -> bool:
    """Tell whether a trace needs to know.

    What the gateway never saw is tried every few seconds for as long as it is away: once is
    enough for as long as the reason stays the same. Without a reason nothing was tried.
    """
    return attempt > lease.attempt or reason not in {"", lease.wait_reason}
