"""A worker's turn at one import: it keeps the lease while it lasts, and ends in good order."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from sqlalchemy import Engine

from api.imports import repository
from api.imports.errors import ImportTakenOverError
from api.imports.job import ImportJob

# To skip what is read already takes time: a turn is long enough to be worth it.
_OPENING_SHARE = 4


class TurnEndedError(Exception):
    """The worker was told to stop, or another app has waited long enough."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a job is held: leases in seconds, and turns when another app waits."""

    database: Engine
    lease_seconds: float
    should_stop: Callable[[], bool]
    turn_seconds: float = inf


class Turn:
    """One job in the hands of one worker."""

    def __init__(self, terms: Terms, job: ImportJob) -> None:
        self._terms = terms
        self._job = job
        self._began_at = self._renewed_at = time.monotonic()
        self._seconds = terms.turn_seconds
        self._has_read = False

    def note_read(self) -> None:
        """Note that a slice is read; the first one tells how long it took to get there."""
        if not self._has_read:
            spent = time.monotonic() - self._began_at
            self._seconds = max(self._seconds, _OPENING_SHARE * spent)
        self._has_read = True

    def note_renewed(self) -> None:
        """Note that a slice has renewed the lease."""
        self._renewed_at = time.monotonic()

    def keep(self) -> None:
        """Keep the lease while a slice is read; raises `ImportTakenOverError`, `TurnEndedError`."""
        if self._terms.should_stop():
            raise TurnEndedError
        if time.monotonic() - self._renewed_at < self._terms.lease_seconds / 4:
            return
        with self._terms.database.begin() as connection:
            if not repository.renew(connection, self._job, self._terms.lease_seconds):
                raise ImportTakenOverError
        self.note_renewed()

    def check(self) -> None:
        """Raise `TurnEndedError` when the turn ends behind the present slice."""
        if self._terms.should_stop():
            raise TurnEndedError
        if time.monotonic() - self._began_at < self._seconds:
            return
        with self._terms.database.begin() as connection:
            if repository.does_another_app_wait(connection, self._job.app_id):
                raise TurnEndedError

    def release(self) -> None:
        """Let another worker go on at once."""
        with self._terms.database.begin() as connection:
            repository.release(connection, self._job)
