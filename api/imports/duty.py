"""The duty of the maintenance lane: works uploaded imports off, one after the other."""

import logging
import os
import socket
import time
from collections.abc import Callable

from sqlalchemy import Engine

from api.imports import repository
from api.imports.errors import ImportTakenOverError
from api.imports.importers import importer_for
from api.imports.job import ImportJob, Progress
from api.imports.states import ImportState
from api.imports.storage import Storage, open_storage
from api.imports.work import Desk, work
from core.errors import InvalidPayloadError
from core.settings import Settings
from core.telemetry import log_event

_LOGGER = logging.getLogger(__name__)
# Workers die of other causes, too; but not so often at the same place.
_STALLS_LIMIT = 5
_STALLED = (
    "{} workers, one after the other, began it and got no further than line {}. What was imported "
    "stays. Upload the rest in smaller parts, to find what stops them."
)
# No upload takes so long to arrive and to be stored as an import.
_LEFT_SECONDS = 86_400.0
_TIDY_SECONDS = 3_600.0
_GONE = "The uploaded file is gone from the storage. Upload it again."


class ImportDuty:
    """Claims due imports, those of the app that waits longest first.

    A job whose worker died is gone on with when its lease has run out.
    """

    def __init__(self, settings: Settings, database: Engine) -> None:
        self._settings = settings
        self._database = database
        self._storage: Storage = open_storage(settings)
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._tidied_at: float | None = None

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Work due imports off until none is left; return how many have ended."""
        self._tidy()
        count = 0
        while not should_stop() and (job := self._claim()):
            count += self._work(job, should_stop)
        return count

    def _claim(self) -> ImportJob | None:
        with self._database.begin() as connection:
            return repository.claim_due(connection, self._owner, self._settings.lease_seconds)

    def _tidy(self) -> None:
        """Remove, once an hour, what crashes have left in the storage and no import needs."""
        now = time.monotonic()
        if self._tidied_at is not None and now - self._tidied_at < _TIDY_SECONDS:
            return
        self._tidied_at = now
        if left := self._storage.untouched(_LEFT_SECONDS):
            with self._database.begin() as connection:
                needed = repository.find_needed(connection, left)
            for key in set(left) - needed:
                self._storage.remove(key)

    def _work(self, job: ImportJob, should_stop: Callable[[], bool]) -> bool:
        key = str(job.stored_as)
        try:
            if job.stalls >= _STALLS_LIMIT:
                has_ended = self._fail(job, _STALLED.format(job.stalls, job.line))
            else:
                has_ended = work(self._desk(job, should_stop), job, self._storage.open(key))
        except ImportTakenOverError:
            return False
        except FileNotFoundError:
            has_ended = self._fail(job, _GONE)
        except InvalidPayloadError:
            has_ended = True
        if has_ended:
            self._storage.remove(key)
            log_event(_LOGGER, "import.ended", import_id=job.public_id)
        return has_ended

    def _fail(self, job: ImportJob, words: str) -> bool:
        with self._database.begin() as connection:
            return repository.end(connection, job, ImportState.FAILED, words)

    def _desk(self, job: ImportJob, should_stop: Callable[[], bool]) -> Desk:
        return Desk(
            self._database,
            importer_for(job.kind, self._settings),
            self._settings.import_slice_lines,
            self._settings.lease_seconds,
            should_stop,
            _say_nothing,
            self._settings.import_turn_seconds,
        )


def _say_nothing(_job: ImportJob, _progress: Progress) -> None:
    """GET shows the progress to everybody."""
