"""Working an import off: slice by slice, each with its progress in one transaction."""

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from math import inf
from typing import BinaryIO

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.imports import repository
from api.imports.apart import write_apart
from api.imports.errors import ImportTakenOverError
from api.imports.importer import Importer
from api.imports.job import ImportJob, Progress
from api.imports.opening import Place, open_reader
from api.imports.patience import Patience
from api.imports.reading import Slice, Watch, named, read_ahead, slices
from api.imports.states import ImportState
from api.imports.turn import Terms, Turn, TurnEndedError
from core.errors import InvalidPayloadError


@dataclass(frozen=True, slots=True)
class Desk:
    """What working on imports needs; `said` is called between slices.

    A job is released when `should_stop` says so, and after `turn_seconds` if another app waits.
    """

    database: Engine
    importer: Importer
    slice_lines: int
    lease_seconds: float
    should_stop: Callable[[], bool]
    said: Callable[[ImportJob, Progress], None]
    turn_seconds: float = inf

    def terms(self) -> Terms:
        """Return how long a job is held."""
        return Terms(self.database, self.lease_seconds, self.should_stop, self.turn_seconds)


def work(desk: Desk, job: ImportJob, file: BinaryIO) -> bool:
    """Import `file` from where the job is to its end, and close it; False when its turn is over.

    Raises `ImportTakenOverError` when another worker has the job. A file that can not be read
    on ends the job as failed, and raises what says why.
    """
    turn = Turn(desk.terms(), job)
    try:
        _work(desk, job, file, turn)
    except TurnEndedError:
        turn.release()
        return False
    except InvalidPayloadError as error:
        _end(desk, job, ImportState.FAILED, error.detail)
        raise
    _end(desk, job, ImportState.FINISHED)
    return True


def _work(desk: Desk, job: ImportJob, file: BinaryIO, turn: Turn) -> None:
    watch = Watch()
    with contextlib.closing(read_ahead(_read(desk, job, file, watch), watch, turn.keep)) as pieces:
        for piece in pieces:
            turn.note_read()
            _write(desk, job, piece)
            turn.note_renewed()
            turn.check()


def _read(desk: Desk, job: ImportJob, file: BinaryIO, watch: Watch) -> Generator[Slice, None, None]:
    opened = open_reader(file, job.read_options(), job.place, watch.check)
    with contextlib.closing(opened):
        yield from slices(opened, desk.importer, desk.slice_lines)


def _end(desk: Desk, job: ImportJob, state: ImportState, reason: str | None = None) -> None:
    with desk.database.begin() as connection:
        if not repository.end(connection, job, state, reason):
            raise ImportTakenOverError


def _write(desk: Desk, job: ImportJob, piece: Slice) -> None:
    """Write a slice, again when it met others, and while PostgreSQL is away for a moment."""
    patience = Patience(desk.lease_seconds, desk.should_stop)
    while True:
        try:
            if patience.is_in_doubt and _is_written(desk, job, piece):
                return
            desk.importer.prepare(desk.database, job.app_id, piece.items)
            with desk.database.begin() as connection:
                progress = _write_in(connection, desk, job, piece)
        except (DBAPIError, PoolTimeoutError, psycopg.Error) as error:
            if not patience.bears(error):
                raise
        else:
            desk.said(job, progress)
            return


def _is_written(desk: Desk, job: ImportJob, piece: Slice) -> bool:
    """Tell whether only the answer to the COMMIT of a slice was lost."""
    with desk.database.begin() as connection:
        found = repository.find(connection, job.app_id, job.public_id)
    place = Place(piece.position, piece.line)
    return found is not None and found.fence == job.fence and found.place == place


def _write_in(connection: Connection, desk: Desk, job: ImportJob, piece: Slice) -> Progress:
    written = write_apart(connection, desk.importer, job.app_id, piece.items)
    faults = {
        **piece.faults,
        **{line: named(piece.opened, fields) for line, fields in written.faults.items()},
    }
    if faults:
        repository.add_errors(connection, job, faults)
    progress = Progress(
        piece.position,
        piece.line,
        piece.bytes_read,
        written.created,
        written.updated,
        written.unchanged,
        len(faults),
    )
    if not repository.advance(connection, job, progress, desk.lease_seconds):
        raise ImportTakenOverError
    return progress
