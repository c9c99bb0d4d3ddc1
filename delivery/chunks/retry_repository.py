"""Recipients that go on: each step's retries become new chunks, and are kept for their traces."""

from typing import Any

import psycopg

from delivery.chunks.arrays import numbers, storable
from delivery.chunks.chunk import Lease, Step

_NEW_CHUNK = """
INSERT INTO chunk (app_id, message_id, credential_id, lane, attempt, first_attempt_at,
                   wait_reason, device_ids, person_ids, remaining, intended, open, due_at)
SELECT m.app_id, m.id, %(credential_id)s, m.lane, %(attempt)s,
       coalesce(%(first_attempt_at)s, clock_timestamp()),
       CAST(%(reason)s AS text), CAST(%(device_ids)s AS int8[]), CAST(%(person_ids)s AS int8[]),
       %(size)s, %(intended)s, CAST(%(open)s AS int4[]),
       clock_timestamp() + make_interval(secs => %(delay)s)
FROM message m WHERE m.app_id = %(app_id)s AND m.id = %(message_id)s
"""
_AND_KEPT = f"""
WITH made AS ({_NEW_CHUNK} RETURNING due_at)
INSERT INTO attempt_log (app_id, day, message_id, device_id, attempt, reason, at, due_at)
SELECT %(app_id)s, %(day)s, %(message_id)s, d.id, %(failed_attempt)s, %(reason)s,
       made.due_at - make_interval(secs => %(delay)s), made.due_at
FROM made, unnest(CAST(%(device_ids)s AS int8[])) AS d(id)
"""  # noqa: S608 - both texts are ours.


Group = tuple[int, int, str, bool]  # attempt, delay in seconds, reason, in doubt


def groups_of(step: Step) -> dict[Group, list[int]]:
    """Return the positions that share a new chunk: those that wait alike. Pure."""
    groups: dict[Group, list[int]] = {}
    for retry in step.retried:
        # Whole seconds keep the chunks few.
        delay = max(0, round(retry.delay_seconds))
        key = (retry.attempt, delay, retry.reason, retry.in_doubt)
        groups.setdefault(key, []).append(retry.position)
    return groups


def insert_retries(connection: psycopg.Connection[Any], lease: Lease, step: Step) -> None:
    """Move the recipients that go on into new chunks, and keep why."""
    for (attempt, delay, reason, in_doubt), positions in groups_of(step).items():
        # The chunk may have been claimed hours ago, and these recipients tried only now.
        values = {
            "app_id": lease.message.app_id,
            "day": lease.message.day,
            "message_id": lease.message.id,
            "credential_id": lease.credential_id,
            "first_attempt_at": None if lease.attempt == 1 < attempt else lease.first_attempt_at,
            "attempt": attempt,
            "failed_attempt": lease.attempt,
            "reason": storable(reason),
            "delay": delay,
            "size": len(positions),
            # Whoever may have it already is open from the start, as after a crash.
            "intended": len(positions) if in_doubt else 0,
            "open": numbers(range(len(positions)) if in_doubt else ()),
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
