"""What a forecast needs to know: credentials, what waits on them, and how fast we have been."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from core.database import rows
from delivery.forecasts.arithmetic import Others
from delivery.messages.statistics_repository import STEP_SECONDS

# Smaller campaigns say more of their start than of the speed.
LARGE = 10_000
_REACH = 10_000
_CAMPAIGNS = 20

_SPEED = f"""
WITH recent AS MATERIALIZED (
    SELECT id, created_at, lane, state, rate_per_second, targeted, started_at, first_pass_at
    FROM message WHERE app_id = :app_id ORDER BY created_at DESC LIMIT :reach),
large AS (
    SELECT r.started_at, r.first_pass_at, t.sent FROM recent r
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(recipients), 0) AS sent FROM message_count n
        WHERE n.app_id = :app_id AND n.message_id = r.id
          AND n.state IN ('accepted', 'gone', 'rejected', 'unknown')) t
    WHERE r.lane = 'campaign' AND r.state = 'finished' AND r.rate_per_second IS NULL
      AND r.targeted >= :large AND r.first_pass_at > r.started_at AND t.sent >= :large
    ORDER BY r.created_at DESC LIMIT :campaigns)
SELECT max(greatest(
    l.sent / extract(epoch FROM l.first_pass_at - l.started_at),
    -- Its best ten seconds, which no ramp slowed down.
    (SELECT max(b.sent) / {STEP_SECONDS} FROM (
        SELECT sum(recipients) AS sent FROM delivery_bucket
        WHERE app_id = :app_id AND at >= l.started_at
          AND at <= l.first_pass_at - make_interval(secs => {STEP_SECONDS})
          AND state IN ('accepted', 'gone', 'rejected', 'unknown')
        GROUP BY at) b)))::float8 AS per_second
FROM large l
"""  # noqa: S608  The step is ours.


HeldBy = Literal["kill_switch", "credential_paused", "project_frozen"]


@dataclass(frozen=True, slots=True)
class Way:
    """A credential as a forecast sees it; `held_by` says why nothing leaves with it now.

    `held_words` are its gateway's about that, or about `held_platforms`, which alone wait.
    """

    id: int
    public_id: str
    provider: str
    name: str
    quota_per_minute: int | None
    held_by: HeldBy | None
    held_words: str | None
    held_platforms: Sequence[str] | None


def ways(connection: Connection, app_id: int, credential_ids: Sequence[int]) -> Sequence[Way]:
    """Return these credentials of the app, in the order they were made."""
    found = rows(
        connection,
        """
        SELECT k.id, k.public_id, k.provider, k.name, k.quota_per_minute,
               CASE WHEN EXISTS (SELECT FROM kill_switch s
                        WHERE (s.app_id IS NULL OR s.app_id = k.app_id)
                          AND (s.credential_id IS NULL OR s.credential_id = k.id))
                        THEN 'kill_switch'
                    WHEN k.state <> 'active' THEN 'credential_paused'
                    WHEN k.frozen_until > clock_timestamp() THEN 'project_frozen' END AS held_by,
               CASE WHEN k.state <> 'active' THEN k.reason_text
                    WHEN k.held_until > clock_timestamp() THEN k.hold_text END AS held_words,
               CASE WHEN k.held_until > clock_timestamp() THEN k.held_platforms
                    END AS held_platforms
        FROM credential k WHERE k.app_id = :app_id AND k.id = ANY(:ids) ORDER BY k.id
        """,
        app_id=app_id,
        ids=list(credential_ids),
    )
    return [Way(*row) for row in found]


def others(
    connection: Connection, app_id: int, credential_ids: Sequence[int], lane: str
) -> Mapping[int, Sequence[Others]]:
    """Return what running messages have waiting, by credential.

    A transactional message waits for its own lane only; a campaign for both.
    """
    found = rows(
        connection,
        """
        SELECT c.credential_id, m.rate_per_second, sum(c.remaining)::bigint AS recipients
        FROM chunk c JOIN message m ON m.app_id = c.app_id AND m.id = c.message_id
        WHERE c.app_id = :app_id AND c.credential_id = ANY(:ids)
          AND (CAST(:lane AS text) = 'campaign' OR c.lane = :lane)
          AND m.state = 'running' AND m.expires_at > clock_timestamp()
        GROUP BY c.credential_id, m.rate_per_second,
                 CASE WHEN m.rate_per_second IS NOT NULL THEN m.id END
        """,
        app_id=app_id,
        ids=list(credential_ids),
        lane=lane,
    )
    waiting = defaultdict[int, list[Others]](list)
    for row in found:
        waiting[row.credential_id].append(Others(row.recipients, row.rate_per_second))
    return waiting


def measured_per_second(connection: Connection, app_id: int) -> float | None:
    """Return the speed of the fastest of the app's newest large campaigns without a rate."""
    found = rows(connection, _SPEED, app_id=app_id, reach=_REACH, large=LARGE, campaigns=_CAMPAIGNS)
    speed: float | None = found[0].per_second
    return speed
