"""Working an import off: slice by slice, each with its progress in one transaction."""

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO

from psycopg import errors as postgres
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError

from api.imports import repository
from api.imports.errors import ImportTakenOverError, UnreadableFileError
from api.imports.importers import Importer, Written
from api.imports.job import ImportJob, Progress
from api.imports.opening import OpenFile, open_reader
from api.imports.record import LineFault, Record
from api.imports.states import ImportState
from core.errors import FieldError, InvalidPayloadError

_ATTEMPTS = 5
# Another transaction wrote the same people in another order: nothing is left of ours.
_COLLISIONS = (postgres.DeadlockDetected, postgres.SerializationFailure)
_FAULTS_OF_A_LINE = 10


@dataclass(frozen=True, slots=True)
class Desk:
    """What working on imports needs; `should_stop` and `said` are called between slices."""

    database: Engine
    importer: Importer
    slice_lines: int
    lease_seconds: float
    should_stop: Callable[[], bool]
    said: Callable[[ImportJob, Progress], None]


@dataclass(frozen=True, slots=True)
class Slice:
    """Some records, checked, and how far the file is read behind them."""

    items: Sequence[tuple[int, Any]]
    faults: dict[int, Sequence[LineFault]]
    position: int
    line: int
    bytes_read: int


def work(desk: Desk, job: ImportJob, file: BinaryIO) -> bool:
    """Import `file` from where the job is to its end, and close it; False when told to stop.

    Raises `ImportTakenOverError` when another worker has the job. A file that can not be read
    on ends the job as failed, and raises what says why.
    """
    try:
        with contextlib.closing(open_reader(file, job.read_options(), job.place)) as opened:
            is_done = _work(desk, job, opened)
    except InvalidPayloadError as error:
        _end(desk, job, ImportState.FAILED, error.detail)
        raise
    if is_done:
        _end(desk, job, ImportState.FINISHED)
    return is_done


def _work(desk: Desk, job: ImportJob, opened: OpenFile) -> bool:
    with contextlib.closing(_ahead(_slices(desk, opened))) as pieces:
        for piece in pieces:
            _write(desk, job, piece, opened)
            if desk.should_stop():
                with desk.database.begin() as connection:
                    repository.release(connection, job)
                return False
    return True


def _end(desk: Desk, job: ImportJob, state: ImportState, reason: str | None = None) -> None:
    with desk.database.begin() as connection:
        if not repository.end(connection, job, state, reason):
            raise ImportTakenOverError


def _ahead(pieces: Iterator[Slice]) -> Generator[Slice, None, None]:
    """Yield `pieces`, reading the next one while the database is busy with the present one."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="import") as pool:
        pending = pool.submit(next, pieces, None)
        while (piece := pending.result()) is not None:
            pending = pool.submit(next, pieces, None)
            yield piece


def _slices(desk: Desk, opened: OpenFile) -> Iterator[Slice]:
    records = iter(opened.reader)
    broken: UnreadableFileError | None = None
    while broken is None:
        items: list[tuple[int, Any]] = []
        faults: dict[int, Sequence[LineFault]] = {}
        try:
            for record in itertools.islice(records, desk.slice_lines):
                _sort(desk.importer, opened, record, items, faults)
        except UnreadableFileError as error:
            broken = error
        if items or faults:
            place = opened.reader
            yield Slice(items, faults, place.position, place.line, opened.bytes_read)
        elif broken is None:
            return
    raise broken


def _sort(
    importer: Importer,
    opened: OpenFile,
    record: Record,
    items: list[tuple[int, Any]],
    faults: dict[int, Sequence[LineFault]],
) -> None:
    if record.payload is None:
        faults[record.line] = record.faults[:_FAULTS_OF_A_LINE]
        return
    try:
        items.append((record.line, importer.check(record.payload)))
    except InvalidPayloadError as error:
        faults[record.line] = _named(opened, error.fields)


def _named(opened: OpenFile, fields: Sequence[FieldError]) -> list[LineFault]:
    return [
        LineFault(field.pointer, opened.column_of(field.pointer), field.code, field.message)
        for field in fields[:_FAULTS_OF_A_LINE]
    ]


def _write(desk: Desk, job: ImportJob, piece: Slice, opened: OpenFile) -> None:
    for attempt in itertools.count(1):
        try:
            with desk.database.begin() as connection:
                progress = _write_in(connection, desk, job, piece, opened)
        except DBAPIError as error:
            if attempt == _ATTEMPTS or not isinstance(error.orig, _COLLISIONS):
                raise
        else:
            desk.said(job, progress)
            return


def _write_in(
    connection: Connection, desk: Desk, job: ImportJob, piece: Slice, opened: OpenFile
) -> Progress:
    written = _bisected(connection, desk.importer, job.app_id, piece.items)
    faults = {
        **piece.faults,
        **{line: _named(opened, fields) for line, fields in written.faults.items()},
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


def _bisected(
    connection: Connection, importer: Importer, app_id: int, items: Sequence[tuple[int, Any]]
) -> Written:
    """Write items; what the database refuses is narrowed down to its lines."""
    if not items:
        return Written(0, 0, 0, {})
    try:
        with connection.begin_nested():
            return importer.write(connection, app_id, items)
    except DataError:
        if len(items) == 1:
            fault = FieldError("", "invalid_value", "A value does not fit the database.")
            return Written(0, 0, 0, {items[0][0]: [fault]})
    half = len(items) // 2
    parts = [_bisected(connection, importer, app_id, part) for part in (items[:half], items[half:])]
    return Written(
        sum(part.created for part in parts),
        sum(part.updated for part in parts),
        sum(part.unchanged for part in parts),
        {line: fault for part in parts for line, fault in part.faults.items()},
    )
