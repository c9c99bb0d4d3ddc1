"""Recording a step: first the chunk, if it is still held, and with it all that the step says."""

from collections import Counter
from typing import Any

import psycopg

from delivery.chunks import retry_repository, verdict_repository
from delivery.chunks.arrays import numbers, words
from delivery.chunks.chunk import Lease, Step
from delivery.states import RecipientState

Driver = psycopg.Connection[Any]

# A step that does not add up must not be recorded: somebody would be lost for good.
_IF_HELD = """
    WHERE app_id = %(app_id)s AND id = %(id)s AND fence = %(fence)s AND cursor = %(cursor)s
      AND chunk.remaining = %(expected)s
    RETURNING id)
"""
_FINISH = "WITH held AS (DELETE FROM chunk" + _IF_HELD  # noqa: S608 - both texts are ours.
_ADVANCE = (
    """
WITH held AS (
    UPDATE chunk SET cursor = cursor + 1, intended = %(intended)s,
        open = CAST(%(open)s AS int4[]), remaining = %(remaining)s,
        lease_until = clock_timestamp() + make_interval(secs => CAST(%(lease)s AS float8))
"""  # noqa: S608 - both texts are ours.
    + _IF_HELD
)
# It waits for permits now, no longer for what made it a retry. A rate that was changed meanwhile
# lets it ask again at once; a change that is being made right now is waited for.
_RELEASE = _ADVANCE.replace(
    "lease_until = clock_timestamp() + make_interval(secs => CAST(%(lease)s AS float8))",
    """lease_until = NULL, wait_reason = NULL,
        due_at = CASE WHEN CAST(%(rate)s AS float8) IS NOT DISTINCT FROM (
                SELECT m.rate_per_second FROM message m
                WHERE m.app_id = %(app_id)s AND m.id = %(message_id)s FOR KEY SHARE)
            THEN clock_timestamp() + make_interval(secs => CAST(%(due)s AS float8))
            ELSE due_at END""",
)
_OUTCOMES = """
         (SELECT a.device_id, a.person_id, %(accepted)s AS state, NULL AS reason,
                 nullif(a.gateway_id, '') AS gateway
          FROM unnest(CAST(%(accepted_devices)s AS int8[]), CAST(%(accepted_people)s AS int8[]),
                      CAST(%(gateway_ids)s AS text[])) AS a(device_id, person_id, gateway_id)
          UNION ALL
          SELECT o.* FROM unnest(
              CAST(%(devices)s AS int8[]), CAST(%(people)s AS int8[]), CAST(%(states)s AS text[]),
              CAST(%(reasons)s AS text[]), CAST(%(gateways)s AS text[])) AS o) AS e
"""
# Nothing is written unless the chunk was held: both inserts ask what its change returned. No ON
# CONFLICT: fence and cursor rule a repeat out, so a second row of a recipient is a defect, and
# the unique index must say so. Arrays cost PostgreSQL what COPY costs it, and spare its round
# trips (docs/performance.md). What is told to others is put together only where somebody wants
# to know: the inner query runs for the first row that needs it.
_ENDS = """,
ended AS (
    INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, gateway,
                        attempt)
    SELECT %(app_id)s, CAST(%(day)s AS date), %(message_id)s, e.device_id, e.person_id, e.state,
           e.reason, e.gateway, %(attempt)s
    FROM _OUTCOMES
    WHERE EXISTS (SELECT FROM held)),
counted AS (
    INSERT INTO message_delta (app_id, message_id, state, reason, recipients)
    SELECT %(app_id)s, %(message_id)s, c.*
    FROM unnest(CAST(%(count_states)s AS text[]), CAST(%(count_reasons)s AS text[]),
                CAST(%(counts)s AS int8[])) AS c
    WHERE EXISTS (SELECT FROM held)),
told AS (
    INSERT INTO outbox (app_id, subscription_id, kind, facts)
    SELECT s.app_id, s.id, 'delivery.ended', jsonb_build_object(
        'message', m.public_id, 'is_test', m.is_test, 'results', (
            SELECT jsonb_agg(jsonb_build_array(e.device_id, e.person_id, e.state, e.reason,
                                               e.gateway, CAST(%(attempt)s AS integer)))
            FROM _OUTCOMES))
    FROM outbox_subscription s
    JOIN message m ON m.app_id = s.app_id AND m.id = %(message_id)s
    WHERE s.app_id = %(app_id)s AND 'delivery.ended' = ANY(s.kinds)
      AND EXISTS (SELECT FROM held))
""".replace("_OUTCOMES", _OUTCOMES.strip())
_WAS_HELD = "SELECT count(*) FROM held"
_Values = dict[str, object]


def record(connection: Driver, lease: Lease, cursor: int, step: Step, lease_seconds: float) -> bool:
    """Write one step in one transaction; False when fence or cursor no longer fit.

    `connection` is in autocommit. The chunk comes first, so a step is recorded once or not at
    all. Raises psycopg's errors; after one, COMMIT may have held.
    """
    if not (step.retried or step.targets or step.credential):
        return _advance(connection, lease, cursor, step, lease_seconds)
    with connection.transaction():
        is_held = _advance(connection, lease, cursor, step, lease_seconds)
        if is_held:
            retry_repository.insert_retries(connection, lease, step)
            verdict_repository.apply_to_targets(connection, lease, step)
            verdict_repository.apply_to_credential(connection, lease, step)
    return is_held


def _advance(
    connection: Driver, lease: Lease, cursor: int, step: Step, lease_seconds: float
) -> bool:
    remaining = len(step.open) + len(lease.device_ids) - step.intended
    values: _Values = {
        "app_id": lease.message.app_id,
        "id": lease.id,
        "fence": lease.fence,
        "cursor": cursor,
        "remaining": remaining,
        "expected": remaining + step.settled(),
    }
    statement = _ADVANCE if remaining else _FINISH
    if remaining:
        values |= {
            "intended": step.intended,
            "open": numbers(step.open),
            "lease": None if step.release else lease_seconds,
        }
    if remaining and step.release and step.due_in_seconds > 0:
        statement = _RELEASE
        values |= {
            "due": step.due_in_seconds,
            "message_id": lease.message.id,
            "rate": lease.message.rate_per_second,
        }
    if step.accepted or step.ended:
        statement += _ENDS
        values |= _accepted(lease, step) | _ended(lease, step) | _counts(step)
    row = connection.execute(statement + _WAS_HELD, values).fetchone()
    return row is not None and row[0] == 1


def _accepted(lease: Lease, step: Step) -> _Values:
    return {
        "day": lease.message.day,
        "message_id": lease.message.id,
        "attempt": lease.attempt,
        "accepted": RecipientState.ACCEPTED.value,
        "accepted_devices": numbers([lease.device_ids[position] for position in step.accepted]),
        "accepted_people": numbers([lease.person_ids[position] for position in step.accepted]),
        "gateway_ids": words(step.gateway_ids),
    }


def _ended(lease: Lease, step: Step) -> _Values:
    return {
        "devices": numbers([lease.device_ids[end.position] for end in step.ended]),
        "people": numbers([lease.person_ids[end.position] for end in step.ended]),
        "states": words([end.state for end in step.ended]),
        "reasons": words([end.reason for end in step.ended]),
        "gateways": words([end.gateway for end in step.ended]),
    }


def _counts(step: Step) -> _Values:
    counts = Counter((end.state, end.reason or "") for end in step.ended)
    if step.accepted:
        counts[(RecipientState.ACCEPTED.value, "")] += len(step.accepted)
    return {
        "count_states": words([state for state, _ in counts]),
        "count_reasons": words([reason for _, reason in counts]),
        "counts": numbers(list(counts.values())),
    }
