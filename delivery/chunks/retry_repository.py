"""Recipients that go on: each step's retries become new chunks."""

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


def insert_retries(connection: psycopg.Connection[Any], lease: Lease, step: Step) -> None:
    """Move the recipients that go on into new chunks."""
    # Recipients that wait alike share one chunk; whole seconds keep the chunks few.
    groups: dict[tuple[int, int, str], list[int]] = {}
    for retry in step.retried:
        key = (retry.attempt, max(0, round(retry.delay_seconds)), retry.reason)
        groups.setdefault(key, []).append(retry.position)
    for (attempt, delay, reason), positions in groups.items():
        values = {
            "app_id": lease.message.app_id,
            "message_id": lease.message.id,
            "credential_id": lease.credential_id,
            "first_attempt_at": lease.first_attempt_at,
            "attempt": attempt,
            "reason": storable(reason),
            "delay": delay,
            "size": len(positions),
            "device_ids": numbers([lease.device_ids[position] for position in positions]),
            "person_ids": numbers([lease.person_ids[position] for position in positions]),
        }
        connection.execute(_NEW_CHUNK, values)
