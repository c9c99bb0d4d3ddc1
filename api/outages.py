"""What a caller is told when the database fails under a request: what is known, and no more."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from psycopg import errors as postgres
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.ingest.errors import OutcomeUnknownError
from core.errors import CarillonError, UnavailableError

_T = TypeVar("_T")
_AWAY = "The database does not answer."
_FULL = "The database has no room left on its disk."
_MET = "Others were changing the same at this moment."
_SLOW = "The database took too long over it."
_WORDS: Mapping[type[Exception], str] = {
    postgres.DiskFull: _FULL,
    postgres.DeadlockDetected: _MET,
    postgres.SerializationFailure: _MET,
    postgres.LockNotAvailable: _MET,
    postgres.QueryCanceled: _SLOW,
}
# What is said of a lost COMMIT to whoever can not repeat the request under the same key.
_UNKNOWN = (
    "The database did not say whether it was done. It was sent without an Idempotency-Key: look "
    "whether it was done before you send it again."
)


def run_known(
    engine: Engine, work: Callable[[Connection], _T], *, changes: bool, has_key: bool
) -> _T:
    """Run `work` in one transaction and commit it; whatever fails says whether it was done.

    `has_key` tells that a repetition under the same Idempotency-Key is done once.

    Before the COMMIT is asked for PostgreSQL undoes all; after that nobody knows without an answer.
    Raises `UnavailableError` or `OutcomeUnknownError`; what is no outage is raised as it is.
    """
    is_asked = False
    try:
        with engine.begin() as connection:
            made = work(connection)
            is_asked = changes
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise (_unknown(has_key=has_key) if is_asked else nothing_done(error)) from error
    return made


def _unknown(*, has_key: bool) -> CarillonError:
    return OutcomeUnknownError() if has_key else OutcomeUnknownError(_UNKNOWN)


def nothing_done(error: Exception) -> CarillonError:
    """Return what is said when the database failed before it was asked to commit."""
    return UnavailableError(f"{_what(error)} Nothing was changed. Try again in a moment.")


def perhaps_done(error: Exception) -> CarillonError:
    """Return what is said when nobody noted how far the request had come."""
    return UnavailableError(
        f"{_what(error)} What was asked for may have been done or not: with the Idempotency-Key "
        "that it was sent with it can be repeated, and is done once; without one, look first."
    )


def _what(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return next((words for kind, words in _WORDS.items() if isinstance(cause, kind)), _AWAY)
