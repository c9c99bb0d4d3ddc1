"""SQL of imports: jobs, their leases and progress, and the lines that could not be taken."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection, text

from api.imports.job import FileMark, ImportJob, Progress
from api.imports.record import ImportOptions
from api.imports.states import ImportState
from api.imports.tables import import_error, import_job
from core.ids import new_public_id

_COLUMNS = tuple(import_job.c[name] for name in ImportJob.__dataclass_fields__)
_TEXTS = sa.ARRAY(sa.Text)
_OPEN = (ImportState.PENDING.value, ImportState.RUNNING.value)

_DUE = (
    import_job.c.state.in_(_OPEN),
    import_job.c.stored_as.is_not(None),
    sa.func.coalesce(import_job.c.lease_until < sa.func.now(), sa.true()),
)

ERROR_LIMIT = 100_000

_ADD_ERRORS = text("""
INSERT INTO import_error (app_id, job_id, line, errors)
SELECT :app_id, :job_id, line, errors
FROM unnest(CAST(:lines AS bigint[]), CAST(:errors AS jsonb[])) AS listed(line, errors)
WHERE (SELECT failed FROM import_job WHERE app_id = :app_id AND id = :job_id) < :limit
""")


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """A line that could not be taken; its number is its id in pages."""

    id: int
    errors: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Uploads that have not ended."""

    count: int
    bytes: int


def add(
    connection: Connection,
    app_id: int,
    mark: FileMark,
    options: ImportOptions,
    stored_as: str | None,
) -> ImportJob:
    """Store a new job."""
    values = {
        "app_id": app_id,
        "public_id": new_public_id("imp"),
        "kind": options.kind,
        "state": ImportState.PENDING.value,
        "name": mark.name,
        "size": mark.size,
        "digest": mark.digest,
        "options": options.to_json(),
        "stored_as": stored_as,
    }
    row = connection.execute(sa.insert(import_job).values(values).returning(*_COLUMNS)).one()
    return ImportJob(*row)


def find(connection: Connection, app_id: int, public_id: str) -> ImportJob | None:
    """Return one job."""
    row = connection.execute(
        sa.select(*_COLUMNS).where(
            import_job.c.app_id == app_id, import_job.c.public_id == public_id
        )
    ).first()
    return ImportJob(*row) if row else None


def list_after(connection: Connection, app_id: int, after: int, limit: int) -> list[ImportJob]:
    """Return jobs in the order they were made, beginning behind the inner id `after`."""
    statement = (
        sa.select(*_COLUMNS)
        .where(import_job.c.app_id == app_id, import_job.c.id > after)
        .order_by(import_job.c.id)
        .limit(limit)
    )
    return [ImportJob(*row) for row in connection.execute(statement)]


def list_errors(
    connection: Connection, job: ImportJob, after_line: int, limit: int
) -> list[ErrorRow]:
    """Return bad lines in the order of the file."""
    statement = (
        sa.select(import_error.c.line, import_error.c.errors)
        .where(
            import_error.c.app_id == job.app_id,
            import_error.c.job_id == job.id,
            import_error.c.line > after_line,
        )
        .order_by(import_error.c.line)
        .limit(limit)
    )
    return [ErrorRow(*row) for row in connection.execute(statement)]


def find_unfinished(
    connection: Connection, app_id: int, mark: FileMark, options: ImportOptions
) -> ImportJob | None:
    """Return the newest import of this file, read in this way by a command, that has not ended."""
    row = connection.execute(
        sa.select(*_COLUMNS)
        .where(
            import_job.c.app_id == app_id,
            import_job.c.digest == mark.digest,
            import_job.c.size == mark.size,
            import_job.c.options == options.to_json(),
            import_job.c.stored_as.is_(None),
            import_job.c.state.in_(_OPEN),
        )
        .order_by(import_job.c.id.desc())
        .limit(1)
    ).first()
    return ImportJob(*row) if row else None


def claim(
    connection: Connection, app_id: int, job_id: int, owner: str, lease_seconds: float
) -> ImportJob | None:
    """Take over a job that has not ended; whoever worked on it can commit nothing more."""
    row = connection.execute(
        sa.update(import_job)
        .where(
            import_job.c.app_id == app_id,
            import_job.c.id == job_id,
            import_job.c.state.in_(_OPEN),
        )
        .values(
            state=ImportState.RUNNING.value,
            fence=import_job.c.fence + 1,
            lease_owner=owner,
            lease_until=_lease_end(lease_seconds),
            # Whoever leaves a job in good order gives its lease back.
            stalls=import_job.c.stalls + sa.case((import_job.c.lease_until.is_(None), 0), else_=1),
            served_at=sa.func.clock_timestamp(),
            started_at=sa.func.coalesce(import_job.c.started_at, sa.func.now()),
            updated_at=sa.func.now(),
        )
        .returning(*_COLUMNS)
    ).first()
    return ImportJob(*row) if row else None


def claim_due(connection: Connection, owner: str, lease_seconds: float) -> ImportJob | None:
    """Take over a stored job that nobody works on: the oldest of the app that waits longest."""
    other = import_job.alias()
    served_at = (
        sa.select(sa.func.max(other.c.served_at))
        .where(other.c.app_id == import_job.c.app_id)
        .scalar_subquery()
    )
    due = connection.execute(
        sa.select(import_job.c.app_id, import_job.c.id)
        .where(*_DUE)
        .order_by(served_at.nulls_first(), import_job.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=import_job)
    ).first()
    return claim(connection, due.app_id, due.id, owner, lease_seconds) if due else None


def does_another_app_wait(connection: Connection, app_id: int) -> bool:
    """Tell whether a job of another app is due."""
    waiting = sa.select(import_job.c.id).where(*_DUE, import_job.c.app_id != app_id)
    return bool(connection.execute(sa.select(waiting.exists())).scalar_one())


def lock_waiting(connection: Connection, app_id: int) -> Waiting:
    """Return what of an app waits or is under way; uploads of the app then come one by one."""
    connection.execute(text("SELECT FROM app WHERE id = :id FOR NO KEY UPDATE"), {"id": app_id})
    size = sa.func.coalesce(sa.func.sum(import_job.c.size), 0)
    row = connection.execute(
        sa.select(sa.func.count(), sa.cast(size, sa.BigInteger)).where(
            import_job.c.app_id == app_id,
            import_job.c.state.in_(_OPEN),
            import_job.c.stored_as.is_not(None),
        )
    ).one()
    return Waiting(*row)


def find_needed(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return those of the stored files that an import still needs."""
    statement = sa.select(import_job.c.stored_as).where(
        import_job.c.state.in_(_OPEN), import_job.c.stored_as == sa.any_(sa.literal(keys, _TEXTS))
    )
    return set(connection.scalars(statement))


def renew(connection: Connection, job: ImportJob, lease_seconds: float) -> bool:
    """Keep a job without having got further; False when another worker has it."""
    return _change(connection, job, {"lease_until": _lease_end(lease_seconds)})


def advance(
    connection: Connection, job: ImportJob, progress: Progress, lease_seconds: float
) -> bool:
    """Record a slice and renew the lease; False when another worker has the job."""
    added = {
        name: import_job.c[name] + getattr(progress, name)
        for name in ("created", "updated", "unchanged", "failed")
    }
    records = progress.created + progress.updated + progress.unchanged + progress.failed
    return _change(
        connection,
        job,
        {
            **added,
            "records": import_job.c.records + records,
            "position": progress.position,
            "line": progress.line,
            "bytes_read": progress.bytes_read,
            "lease_until": _lease_end(lease_seconds),
            "stalls": 0,
        },
    )


def end(
    connection: Connection, job: ImportJob, state: ImportState, reason: str | None = None
) -> bool:
    """End a job; False when another worker has it."""
    values = {"state": state.value, "failed_reason": reason, "lease_until": None}
    return _change(connection, job, {**values, "finished_at": sa.func.now()})


def release(connection: Connection, job: ImportJob) -> bool:
    """Let another worker go on at once; False when one does already."""
    return _change(connection, job, {"lease_until": None})


def add_errors(connection: Connection, job: ImportJob, errors: Mapping[int, Sequence[Any]]) -> None:
    """Store what is wrong with lines, until the limit of one job is reached."""
    values = {
        "limit": ERROR_LIMIT,
        "app_id": job.app_id,
        "job_id": job.id,
        "lines": list(errors),
        "errors": [
            orjson.dumps([asdict(fault) for fault in faults]).decode() for faults in errors.values()
        ],
    }
    connection.execute(_ADD_ERRORS, values)


def cancel(connection: Connection, job: ImportJob) -> None:
    """Give up a job, so that it is never gone on with."""
    connection.execute(
        sa.update(import_job)
        .where(import_job.c.app_id == job.app_id, import_job.c.id == job.id)
        .values(
            state=ImportState.CANCELLED.value,
            fence=import_job.c.fence + 1,
            finished_at=sa.func.now(),
            updated_at=sa.func.now(),
        )
    )


def _change(connection: Connection, job: ImportJob, values: Mapping[str, Any]) -> bool:
    changed = connection.execute(
        sa.update(import_job)
        .where(
            import_job.c.app_id == job.app_id,
            import_job.c.id == job.id,
            import_job.c.fence == job.fence,
            import_job.c.state == ImportState.RUNNING.value,
        )
        .values({**values, "updated_at": sa.func.now()})
    )
    return bool(changed.rowcount)


def _lease_end(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
