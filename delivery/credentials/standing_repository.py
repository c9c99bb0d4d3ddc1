"""SQL of what a credential goes through: pauses, probes, platforms on hold; each with its event.

Workers record theirs with their steps: `delivery.chunks.verdict_repository`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from core.database import rows
from delivery.credentials.backoff import TRIAL_SECONDS, moment

_RELEASED = "Nothing has been refused since the hold ended."
_EVENT = """
INSERT INTO credential_event (app_id, credential_id, kind, reason, words, actor)
SELECT app_id, id, CAST(:kind AS text), CAST(:reason AS text), CAST(:words AS text),
       CAST(:actor AS text) FROM changed
"""
_PAUSE = f"""
WITH changed AS (
    UPDATE credential SET state = 'paused', reason = :reason, reason_text = :words,
        paused_at = clock_timestamp(), probe_at = NULL
    WHERE app_id = :app_id AND id = :id AND state = 'active' RETURNING app_id, id)
{_EVENT}"""  # noqa: S608  Both texts are ours.
# Until the lease ends nobody else asks the gateway; a prober that dies costs no more than that.
_CLAIM = """
UPDATE credential k SET probes = k.probes + 1,
    probe_at = clock_timestamp() + make_interval(secs => CAST(:lease AS float8))
FROM (SELECT d.app_id, d.id FROM credential d
      WHERE d.state = 'paused' AND d.probe_at <= clock_timestamp()
        -- Whoever has stopped everything wants to see nothing leave.
        AND NOT EXISTS (SELECT FROM kill_switch s
            WHERE (s.app_id IS NULL OR s.app_id = d.app_id)
              AND (s.credential_id IS NULL OR s.credential_id = d.id))
      ORDER BY d.probe_at LIMIT :limit FOR NO KEY UPDATE OF d SKIP LOCKED) due
WHERE k.app_id = due.app_id AND k.id = due.id
RETURNING k.app_id, k.id, k.public_id, k.paused_at
"""
_STILL = "app_id = :app_id AND id = :id AND state = 'paused' AND paused_at = :paused_at"
_LATER = f"""
UPDATE credential SET reason = coalesce(CAST(:reason AS text), reason),
    reason_text = coalesce(CAST(:words AS text), reason_text),
    probe_at = {moment("probes")}
WHERE {_STILL}
"""  # noqa: S608  All texts are ours.
_WORKS = f"""
WITH changed AS (
    UPDATE credential SET state = 'active', reason = NULL, reason_text = NULL, paused_at = NULL,
        probe_at = NULL, updated_at = clock_timestamp()
    WHERE {_STILL} RETURNING app_id, id)
{_EVENT}"""  # noqa: S608  All texts are ours.
_PROJECT = """
SELECT k.app_id, k.id, k.hold_reason, k.held_platforms FROM credential one
JOIN credential k ON k.app_id = one.app_id AND k.provider = one.provider
 AND (k.id = one.id OR k.project_id = one.project_id)
WHERE one.app_id = :app_id AND one.id = :id
ORDER BY k.id FOR NO KEY UPDATE OF k
"""
_RELEASE = f"""
WITH project AS ({_PROJECT}),
woken AS (
    UPDATE chunk c SET due_at = clock_timestamp()
    FROM project p WHERE c.app_id = p.app_id AND c.credential_id = p.id
      AND c.wait_reason = p.hold_reason AND c.lease_until IS NULL
      AND c.due_at > clock_timestamp()),
changed AS (
    UPDATE credential k SET held_platforms = NULL, hold_reason = NULL, hold_text = NULL,
        held_until = NULL, holds = 0, updated_at = clock_timestamp()
    FROM project p WHERE k.app_id = p.app_id AND k.id = p.id AND p.held_platforms IS NOT NULL
    RETURNING k.app_id, k.id)
{_EVENT}"""  # noqa: S608  All texts are ours.
_RELEASE_LAPSED = f"""
WITH changed AS (
    UPDATE credential SET held_platforms = NULL, hold_reason = NULL, hold_text = NULL
    WHERE held_platforms IS NOT NULL
      AND held_until < clock_timestamp() - make_interval(secs => 2 * {TRIAL_SECONDS})
    RETURNING app_id, id)
{_EVENT}"""  # noqa: S608  All texts are ours.


@dataclass(frozen=True, slots=True)
class Due:
    """A paused credential that is to be probed now."""

    app_id: int
    id: int
    public_id: str
    paused_at: datetime


@dataclass(frozen=True, slots=True)
class EventRow:
    """What happened to a credential; `actor` is a key, None where it came by itself."""

    id: int
    kind: str
    reason: str | None
    words: str | None
    actor: str | None
    at: datetime


def pause(connection: Connection, app_id: int, credential_id: int, reason: str, words: str) -> None:
    """Pause a credential that no probe shall resume."""
    values = {"app_id": app_id, "id": credential_id, "reason": reason, "words": words}
    connection.execute(text(_PAUSE), {**values, "kind": "paused", "actor": None})


def claim_due(connection: Connection, *, lease_seconds: float, limit: int) -> Sequence[Due]:
    """Take paused credentials that are to be probed, so that nobody else probes them meanwhile."""
    return [Due(*row) for row in rows(connection, _CLAIM, lease=lease_seconds, limit=limit)]


def probe_later(
    connection: Connection, due: Due, reason: str | None = None, words: str | None = None
) -> None:
    """Leave a credential paused, with what its gateway says now, and probe it later."""
    values = {"app_id": due.app_id, "id": due.id, "paused_at": due.paused_at}
    connection.execute(text(_LATER), {**values, "reason": reason, "words": words})


def resume_probed(connection: Connection, due: Due, words: str) -> bool:
    """Let a credential send again that works; False when it is not in that pause any more.

    How often it was probed is kept: if it pauses again soon, it is probed no sooner.
    """
    values = {"app_id": due.app_id, "id": due.id, "paused_at": due.paused_at}
    event = {"kind": "resumed", "reason": None, "words": words, "actor": None}
    return connection.execute(text(_WORKS), {**values, **event}).rowcount > 0


def release(connection: Connection, app_id: int, credential_id: int, actor: str | None) -> None:
    """Take platforms of the credential's project off hold; what waits for that is due at once."""
    event = {"kind": "released", "reason": None, "words": None, "actor": actor}
    connection.execute(text(_RELEASE), {"app_id": app_id, "id": credential_id, **event})


def release_lapsed(connection: Connection) -> None:
    """Forget holds that ended, with pushes let through since and none of them refused."""
    event = {"kind": "released", "reason": None, "words": _RELEASED, "actor": None}
    connection.execute(text(_RELEASE_LAPSED), event)


def note_resumed(connection: Connection, app_id: int, credential_id: int, actor: str) -> None:
    """Keep that somebody resumed a credential."""
    statement = """
        INSERT INTO credential_event (app_id, credential_id, kind, actor)
        VALUES (:app_id, :id, 'resumed', :actor)
    """
    values = {"app_id": app_id, "id": credential_id, "actor": actor}
    connection.execute(text(statement), values)


def forget_old(connection: Connection) -> None:
    """Forget what happened to credentials more than a year ago."""
    connection.execute(text("DELETE FROM credential_event WHERE at < now() - interval '400 days'"))


def list_events(
    connection: Connection, app_id: int, credential_id: int, *, before: int | None, limit: int
) -> Sequence[EventRow]:
    """Return what happened to a credential, newest first."""
    found = rows(
        connection,
        """
        SELECT id, kind, reason, words, actor, at FROM credential_event
        WHERE app_id = :app_id AND credential_id = :credential_id
          AND (CAST(:before AS bigint) IS NULL OR id < :before)
        ORDER BY id DESC LIMIT :limit
        """,
        app_id=app_id,
        credential_id=credential_id,
        before=before,
        limit=limit,
    )
    return [EventRow(*row) for row in found]
