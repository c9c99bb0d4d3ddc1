"""What a step teaches about registrations and credentials."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from delivery.chunks.chunk import Lease, Step

_TARGETS = """
WITH verdict AS (
    SELECT t.id, v.state, v.reason
    FROM unnest(CAST(:ids AS int8[]), CAST(:states AS text[]), CAST(:reasons AS text[]),
                CAST(:ats AS timestamptz[])) AS v(id, state, reason, at)
    JOIN target t ON t.app_id = :app_id AND t.id = v.id
    -- A registration newer than the verdict wins; so does a token that was replaced meanwhile.
    WHERE t.state <> 'retired' AND t.registered_at < v.at
    ORDER BY t.id FOR UPDATE OF t)
UPDATE target t SET state = v.state, state_reason = v.reason, updated_at = clock_timestamp()
FROM verdict v WHERE t.app_id = :app_id AND t.id = v.id
"""
_FREEZE = """
UPDATE credential SET frozen_until = greatest(frozen_until,
    clock_timestamp() + make_interval(secs => :freeze_seconds))
WHERE app_id = :app_id AND id = :id
"""
_PAUSE = """
UPDATE credential SET state = 'paused', reason = :reason, reason_text = :words
WHERE app_id = :app_id AND id = :id AND state = 'active'
"""


def apply_to_targets(connection: Connection, lease: Lease, step: Step) -> None:
    """Retire or suspect registrations, in the order of their ids so that no two deadlock."""
    if not step.targets:
        return
    columns: dict[str, Sequence[object]] = {
        "ids": [verdict.target_id for verdict in step.targets],
        "states": [verdict.state for verdict in step.targets],
        "reasons": [verdict.reason for verdict in step.targets],
        "ats": [verdict.at for verdict in step.targets],
    }
    connection.execute(text(_TARGETS), {"app_id": lease.message.app_id, **columns})


def apply_to_credential(connection: Connection, lease: Lease, step: Step) -> None:
    """Pause the credential with words for people, or freeze it for some seconds."""
    verdict = step.credential
    if verdict is None:
        return
    key = {"app_id": lease.message.app_id, "id": lease.credential_id}
    if verdict.freeze_seconds is not None:
        connection.execute(text(_FREEZE), {**key, "freeze_seconds": verdict.freeze_seconds})
        return
    words = {"reason": verdict.reason, "words": verdict.words}
    connection.execute(text(_PAUSE), {**key, **words})
