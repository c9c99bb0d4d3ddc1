"""SQL of the fleet guard: what gateways answered about tokens, and verdicts taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from delivery.guard.rules import FLEET_GUARD, Span
from delivery.guard.tally import Seen

_ADD = """
INSERT INTO token_answer (app_id, credential_id, at, answers, refused)
SELECT :app_id, :credential_id, clock_timestamp() - make_interval(secs => s.age), s.answers,
       s.refused
FROM unnest(CAST(:ages AS float8[]), CAST(:answers AS int4[]), CAST(:refused AS int4[]))
    AS s(age, answers, refused)
"""
_SPANS = """
SELECT coalesce(sum(answers), 0)::bigint, coalesce(sum(refused), 0)::bigint,
       coalesce(sum(answers) FILTER (WHERE is_recent), 0)::bigint,
       coalesce(sum(refused) FILTER (WHERE is_recent), 0)::bigint
FROM (SELECT answers, refused,
             at > clock_timestamp() - make_interval(secs => CAST(:short AS float8)) AS is_recent
      FROM token_answer WHERE app_id = :app_id AND credential_id = :credential_id
        AND at > clock_timestamp() - make_interval(secs => CAST(:long AS float8))) AS s
"""
# What was only suspected with a credential that is gone is found out with the next one, or never.
# In the order of their ids, so that this and a worker's step never wait for each other.
_RESTORE = f"""
WITH refused AS (
    SELECT t.app_id, t.id FROM credential k
    JOIN target t ON t.app_id = k.app_id AND t.suspect_credential_id = k.id
     AND t.state = 'suspect'
    WHERE (k.state = 'retired' OR (k.state = 'paused' AND k.reason = '{FLEET_GUARD}'))
      AND (CAST(:credential_id AS bigint) IS NULL OR k.id = :credential_id)
    ORDER BY t.id FOR UPDATE OF t)
UPDATE target t SET state = 'active', state_reason = NULL, suspect_credential_id = NULL,
    updated_at = clock_timestamp()
FROM refused r WHERE t.app_id = r.app_id AND t.id = r.id
"""  # noqa: S608  The reason is ours.
# A spell of answers ends once enough of them were good, or most of them bad. Suspects of a good
# one are what they seem: others got through with the same credential at the same time.
_JUDGE = """
WITH spell AS (
    SELECT app_id, credential_id, min(at) AS first_at, max(at) AS last_at,
           sum(answers) - sum(refused) >= :enough
               AND sum(refused) < CAST(:share AS float8) * sum(answers) AS is_good
    FROM token_answer
    WHERE at < clock_timestamp() - make_interval(secs => CAST(:seconds AS float8))
    GROUP BY app_id, credential_id
    HAVING sum(answers) - sum(refused) >= :enough OR min(at) < now() - interval '7 days'
        OR (sum(answers) >= :enough AND sum(refused) >= CAST(:share AS float8) * sum(answers))),
judged AS (
    DELETE FROM token_answer a USING spell s
    WHERE a.app_id = s.app_id AND a.credential_id = s.credential_id AND a.at <= s.last_at),
suspects AS (
    SELECT t.app_id, t.id FROM spell s
    JOIN credential k ON k.app_id = s.app_id AND k.id = s.credential_id AND k.state = 'active'
    JOIN target t ON t.app_id = s.app_id AND t.suspect_credential_id = s.credential_id
     AND t.state = 'suspect'
    -- Each is noted within seconds of the second that its answer is counted in.
    WHERE s.is_good AND t.updated_at BETWEEN s.first_at - interval '5 seconds'
                                         AND s.last_at + interval '5 seconds'
    ORDER BY t.id FOR UPDATE OF t)
UPDATE target t SET state = 'retired', updated_at = clock_timestamp()
FROM suspects s WHERE t.app_id = s.app_id AND t.id = s.id
"""
# Arbitrary but fixed: of several schedulers one judges.
_JUDGE_LOCK = 0x0CA21111
_ENOUGH_GOOD = 20


@dataclass(frozen=True, slots=True)
class Guarded:
    """A credential that may have to pause."""

    app_id: int
    id: int
    public_id: str
    provider: str


def add(connection: Connection, app_id: int, credential_id: int, seen: Sequence[Seen]) -> None:
    """Let others know what a worker saw."""
    values = {
        "app_id": app_id,
        "credential_id": credential_id,
        "ages": [one.age_seconds for one in seen],
        "answers": [one.answers for one in seen],
        "refused": [one.refused for one in seen],
    }
    connection.execute(text(_ADD), values)


def spans(
    connection: Connection, app_id: int, credential_id: int, seconds: tuple[float, float]
) -> tuple[Span, Span]:
    """Return what all workers saw within these times, the longer first."""
    values: dict[str, Any] = {"app_id": app_id, "credential_id": credential_id}
    found = rows(connection, _SPANS, **values, long=seconds[0], short=seconds[1])[0]
    return Span(*found[:2]), Span(*found[2:])


def list_refused(connection: Connection) -> Sequence[tuple[int, int]]:
    """Return app and credential of each whose tokens are refused lately."""
    statement = "SELECT DISTINCT app_id, credential_id FROM token_answer WHERE refused > 0"
    return [(row.app_id, row.credential_id) for row in rows(connection, statement)]


def lock_guarded(connection: Connection, app_id: int, credential_id: int) -> Guarded | None:
    """Return a credential in use that the guard looks after, locked until the transaction ends."""
    found = rows(
        connection,
        """
        SELECT app_id, id, public_id, provider FROM credential
        WHERE app_id = :app_id AND id = :id AND state = 'active'
          AND (guard_rests_until IS NULL OR guard_rests_until < clock_timestamp())
        FOR NO KEY UPDATE
        """,
        app_id=app_id,
        id=credential_id,
    )
    return Guarded(*found[0]) if found else None


def main_reasons(connection: Connection, one: Guarded) -> Sequence[str]:
    """Return why tokens were refused with a credential, the most frequent reason first."""
    found = rows(
        connection,
        """
        SELECT state_reason FROM target
        WHERE app_id = :app_id AND suspect_credential_id = :id AND state = 'suspect'
        GROUP BY state_reason ORDER BY count(*) DESC, state_reason LIMIT 3
        """,
        app_id=one.app_id,
        id=one.id,
    )
    return [row.state_reason for row in found]


def restore(connection: Connection, credential_id: int | None = None) -> int:
    """Take back what was noted about tokens under credentials that are paused by the guard or gone.

    With an id only what was noted under that one.
    """
    return connection.execute(text(_RESTORE), {"credential_id": credential_id}).rowcount


def forget(connection: Connection, app_id: int, credential_id: int) -> None:
    """Count afresh."""
    connection.execute(
        text("DELETE FROM token_answer WHERE app_id = :app_id AND credential_id = :id"),
        {"app_id": app_id, "id": credential_id},
    )


def judge(connection: Connection, *, share: float, seconds: float) -> int:
    """Retire suspects whose credential got others through meanwhile; return how many.

    Only what is older than the guard looks back: what it may take back is not believed yet.
    """
    lock = rows(connection, "SELECT pg_try_advisory_xact_lock(:lock) AS got", lock=_JUDGE_LOCK)
    if not lock[0].got:
        return 0
    values = {"share": share, "seconds": seconds, "enough": _ENOUGH_GOOD}
    return connection.execute(text(_JUDGE), values).rowcount
