"""What a step teaches about registrations and credentials."""

from typing import Any

import psycopg

from delivery.chunks.arrays import numbers, words
from delivery.chunks.chunk import Lease, Step
from delivery.pacing.learned import DECREASE, INCREASE_PER_MINUTE, LEAST_SHARE

Driver = psycopg.Connection[Any]

_TARGETS = """
WITH verdict AS (
    SELECT t.id, v.state, v.reason
    FROM unnest(CAST(%(ids)s AS int8[]), CAST(%(states)s AS text[]), CAST(%(reasons)s AS text[]),
                CAST(%(ats)s AS timestamptz[])) AS v(id, state, reason, at)
    JOIN target t ON t.app_id = %(app_id)s AND t.id = v.id
    -- A registration newer than the verdict wins; so does a token that was replaced meanwhile.
    WHERE t.state <> 'retired' AND t.registered_at < v.at
    ORDER BY t.id FOR UPDATE OF t)
UPDATE target t SET state = v.state, state_reason = v.reason, updated_at = clock_timestamp()
FROM verdict v WHERE t.app_id = %(app_id)s AND t.id = v.id
"""
# All keys of a project, for the gateway counts the project. Only the first refusal of a freeze
# teaches: the others were on their way already.
_FREEZE = f"""
WITH project AS (
    SELECT k.id, least(1, k.learned_share + {INCREASE_PER_MINUTE} / 60 * greatest(0,
               extract(epoch FROM clock_timestamp()
                   - greatest(k.learned_at, k.frozen_until))))::float8 AS share,
           coalesce(k.frozen_until > clock_timestamp(), false) AS is_frozen
    FROM credential one JOIN credential k ON k.app_id = one.app_id AND k.provider = one.provider
     AND (k.id = one.id OR k.project_id = one.project_id)
    WHERE one.app_id = %(app_id)s AND one.id = %(id)s
    ORDER BY k.id FOR UPDATE OF k)
UPDATE credential k SET
    frozen_until = greatest(k.frozen_until,
        clock_timestamp() + make_interval(secs => CAST(%(freeze_seconds)s AS float8))),
    -- Forgetting begins anew after each freeze, so what is left is kept from here on.
    learned_share = CASE WHEN p.is_frozen THEN k.learned_share
        WHEN %(slow_down)s THEN greatest({LEAST_SHARE}, p.share * {DECREASE})
        WHEN k.learned_share IS NOT NULL THEN p.share END,
    learned_at = CASE WHEN p.is_frozen OR (NOT %(slow_down)s AND k.learned_share IS NULL)
        THEN k.learned_at ELSE clock_timestamp() END
FROM project p WHERE k.app_id = %(app_id)s AND k.id = p.id
"""  # noqa: S608 - numbers of ours.
_PAUSE = """
UPDATE credential SET state = 'paused', reason = %(reason)s, reason_text = %(words)s
WHERE app_id = %(app_id)s AND id = %(id)s AND state = 'active'
"""


def apply_to_targets(connection: Driver, lease: Lease, step: Step) -> None:
    """Retire or suspect registrations, in the order of their ids so that no two deadlock."""
    if not step.targets:
        return
    values = {
        "app_id": lease.message.app_id,
        "ids": numbers([verdict.target_id for verdict in step.targets]),
        "states": words([verdict.state for verdict in step.targets]),
        "reasons": words([verdict.reason for verdict in step.targets]),
        "ats": words([verdict.at.isoformat() for verdict in step.targets]),
    }
    connection.execute(_TARGETS, values)


def apply_to_credential(connection: Driver, lease: Lease, step: Step) -> None:
    """Pause the credential with words for people, or freeze it for some seconds."""
    verdict = step.credential
    if verdict is None:
        return
    values: dict[str, object] = {"app_id": lease.message.app_id, "id": lease.credential_id}
    if verdict.freeze_seconds is not None:
        freeze = {"freeze_seconds": verdict.freeze_seconds, "slow_down": verdict.slow_down}
        connection.execute(_FREEZE, {**values, **freeze})
        return
    connection.execute(_PAUSE, {**values, "reason": verdict.reason, "words": verdict.words})
