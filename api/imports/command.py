"""Importing a file of this machine: found again where it was left, or begun."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from api.imports import repository
from api.imports.errors import ImportTakenOverError
from api.imports.importers import importer_for
from api.imports.job import FileMark, ImportJob, Progress, shown_name
from api.imports.opening import check_path, fingerprint
from api.imports.record import ImportOptions
from api.imports.work import Desk, work
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported into which app; `restarts` gives up what was left unfinished."""

    app_id: int
    path: Path
    options: ImportOptions
    restarts: bool


Said = Callable[[ImportJob, Progress], None]


def begin(database: Engine, order: Order, lease_seconds: float) -> ImportJob:
    """Return the job of a file: the one left unfinished, or a new one.

    Raises `UnreadableFileError` and `InvalidMappingError` before anything is stored. Another
    process that imports the same file in the same way loses the job.
    """
    check_path(order.path, order.options)
    with order.path.open("rb") as file:
        mark = FileMark(shown_name(os.fsencode(order.path.name)), *fingerprint(file))
    with database.begin() as connection:
        job = _find_or_add(connection, order, mark)
        claimed = repository.claim(connection, order.app_id, job.id, _owner(), lease_seconds)
        if claimed is None:
            raise ImportTakenOverError
        return claimed


def go_on(
    database: Engine, settings: Settings, job: ImportJob, path: Path, said: Said
) -> ImportJob:
    """Import what is left of the file; return the ended job."""
    desk = Desk(
        database,
        importer_for(job.kind, settings),
        settings.import_slice_lines,
        settings.lease_seconds,
        lambda: False,
        said,
    )
    work(desk, job, path.open("rb"))
    with database.begin() as connection:
        ended = repository.find(connection, job.app_id, job.public_id)
    return ended or job


def _find_or_add(connection: Connection, order: Order, mark: FileMark) -> ImportJob:
    found = repository.find_unfinished(connection, order.app_id, mark, order.options)
    if found is not None and order.restarts:
        repository.cancel(connection, found)
        found = None
    return found or repository.add(connection, order.app_id, mark, order.options, None)


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
