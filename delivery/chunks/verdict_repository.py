"""What a step teaches about registrations and credentials."""

from typing import Any

import psycopg

from delivery.chunks.arrays import numbers, words
from delivery.chunks.chunk import CredentialVerdict, Lease, Step
from delivery.credentials.backoff import MEMORY, moment
from delivery.guard.rules import FLEET_GUARD
from delivery.pacing.learned import DECREASE, INCREASE_PER_MINUTE, LEAST_SHARE

Driver = psycopg.Connection[Any]

# While the guard has paused the credential, a refusal says nothing of the token. With a topic of
# its own a token says nothing of the credential's others, nor they of it.
_TARGETS = f"""
WITH verdict AS (
    SELECT t.id, v.state, v.reason,
           CASE WHEN v.state = 'suspect' AND (t.topic IS NULL OR t.topic = k.topic)
                THEN k.id END AS suspect_credential_id
    FROM unnest(CAST(%(ids)s AS int8[]), CAST(%(states)s AS text[]), CAST(%(reasons)s AS text[]),
                CAST(%(ats)s AS timestamptz[])) AS v(id, state, reason, at)
    JOIN target t ON t.app_id = %(app_id)s AND t.id = v.id
    JOIN credential k ON k.app_id = %(app_id)s AND k.id = %(credential_id)s
    -- A registration newer than the verdict wins; so does a token that was replaced meanwhile.
    WHERE t.state <> 'retired' AND t.registered_at < v.at
      AND (v.state <> 'suspect' OR k.state <> 'paused' OR k.reason IS DISTINCT FROM '{FLEET_GUARD}')
    ORDER BY t.id FOR UPDATE OF t)
UPDATE target t SET state = v.state, state_reason = v.reason, updated_at = clock_timestamp(),
    suspect_credential_id = v.suspect_credential_id
FROM verdict v WHERE t.app_id = %(app_id)s AND t.id = v.id
"""  # noqa: S608 - the reason is ours.
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
# A refusal of an earlier version says nothing: somebody resumed or changed it since. What pauses
# again soon after it was resumed is probed no sooner than it would have been.
_PROBES = f"CASE WHEN updated_at > clock_timestamp() - {MEMORY} THEN probes ELSE 0 END"
_PAUSE = f"""
WITH changed AS (
    UPDATE credential SET state = 'paused', reason = %(reason)s, reason_text = %(words)s,
        paused_at = clock_timestamp(), probes = {_PROBES}, probe_at = {moment(_PROBES)}
    WHERE app_id = %(app_id)s AND id = %(id)s AND state = 'active' AND updated_at = %(version)s
    RETURNING app_id, id)
INSERT INTO credential_event (app_id, credential_id, kind, reason, words)
SELECT app_id, id, 'paused', %(reason)s, %(words)s FROM changed
"""  # noqa: S608 - all texts are ours.
# What is on hold already stays so: answers to what was sent before say nothing new.
_HOLD = f"""
WITH project AS (
    SELECT k.app_id, k.id, k.held_platforms IS NULL AS is_new,
           CASE WHEN k.held_until > clock_timestamp() - {MEMORY}
                THEN k.holds + 1 ELSE 0 END AS holds
    FROM credential one JOIN credential k ON k.app_id = one.app_id AND k.provider = one.provider
     AND (k.id = one.id OR k.project_id = one.project_id)
    WHERE one.app_id = %(app_id)s AND one.id = %(id)s AND one.updated_at = %(version)s
      AND (k.held_until IS NULL OR k.held_until <= clock_timestamp())
    ORDER BY k.id FOR NO KEY UPDATE OF k),
changed AS (
    UPDATE credential k SET held_platforms = %(platforms)s, hold_reason = %(reason)s,
        hold_text = %(words)s, holds = p.holds, held_until = {moment("p.holds")}
    FROM project p WHERE k.app_id = p.app_id AND k.id = p.id
    RETURNING p.app_id, p.id, p.is_new)
INSERT INTO credential_event (app_id, credential_id, kind, reason, words)
SELECT app_id, id, 'held', %(reason)s, %(words)s FROM changed WHERE is_new
"""  # noqa: S608 - all texts are ours.


def apply_to_targets(connection: Driver, lease: Lease, step: Step) -> None:
    """Retire or suspect registrations, in the order of their ids so that no two deadlock."""
    if not step.targets:
        return
    values = {
        "app_id": lease.message.app_id,
        "credential_id": lease.credential_id,
        "ids": numbers([verdict.target_id for verdict in step.targets]),
        "states": words([verdict.state for verdict in step.targets]),
        "reasons": words([verdict.reason for verdict in step.targets]),
        "ats": words([verdict.at.isoformat() for verdict in step.targets]),
    }
    connection.execute(_TARGETS, values)


def apply_to_credential(connection: Driver, lease: Lease, step: Step) -> None:
    """Pause the credential with words for people, hold platforms, or freeze it for some seconds."""
    verdict = step.credential
    if verdict is not None:
        statement, values = _change(verdict)
        own = {"app_id": lease.message.app_id, "id": lease.credential_id}
        connection.execute(statement, {**values, **own, "version": lease.credential_updated_at})


def _change(verdict: CredentialVerdict) -> tuple[str, dict[str, object]]:
    if verdict.freeze_seconds is not None:
        seconds = verdict.freeze_seconds
        return _FREEZE, {"freeze_seconds": seconds, "slow_down": verdict.slow_down}
    words: dict[str, object] = {"reason": verdict.reason, "words": verdict.words}
    if verdict.platforms:
        return _HOLD, {**words, "platforms": list(verdict.platforms)}
    return _PAUSE, words
