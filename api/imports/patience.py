"""How long an import bears that PostgreSQL does not take a slice."""

import random
import time
from collections.abc import Callable

from psycopg import errors as postgres
from sqlalchemy.exc import DBAPIError

from api.imports.turn import TurnEndedError
from core.database import is_away

_COLLISIONS_LIMIT = 8
# Another transaction wrote the same in another order, or held it: nothing is left of ours.
_COLLISIONS = (
    postgres.DeadlockDetected,
    postgres.LockNotAvailable,
    postgres.SerializationFailure,
    postgres.UniqueViolation,
)
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 1.0
_STOP_SECONDS = 0.1


class Patience:
    """Decides about one slice. Collisions are tried again, a few times, after a while.

    While PostgreSQL is away it waits, for as long as the lease lasts: behind that another worker
    may have the job. `is_in_doubt` is whether a COMMIT may have held whose answer was lost.
    """

    def __init__(self, lease_seconds: float, should_stop: Callable[[], bool]) -> None:
        self.is_in_doubt = False
        self._should_stop = should_stop
        self._until = time.monotonic() + lease_seconds
        self._wait_seconds = _FIRST_WAIT_SECONDS
        self._collisions = 0

    def bears(self, error: Exception) -> bool:
        """Tell whether to try again, after a wait if need be; raises `TurnEndedError`."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, _COLLISIONS):
            self._collisions += 1
            if self._collisions >= _COLLISIONS_LIMIT:
                return False
            # Whom it met comes again as well: they must not meet in step.
            self._wait(
                random.uniform(  # noqa: S311
                    0, _FIRST_WAIT_SECONDS * 2**self._collisions
                )
            )
            return True
        if not is_away(error) or time.monotonic() + self._wait_seconds > self._until:
            return False
        self.is_in_doubt = True
        self._wait(self._wait_seconds)
        self._wait_seconds = min(2 * self._wait_seconds, _LONGEST_WAIT_SECONDS)
        return True

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._should_stop():
                raise TurnEndedError
            time.sleep(min(left, _STOP_SECONDS))
