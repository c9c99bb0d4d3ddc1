"""Writing items as one transaction, and what happens when PostgreSQL objects.

A fault of the data is searched for by halves, so that it fails only those who brought it. When the
server was lost, nobody knows whether the COMMIT held, and that is what is said.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg
from psycopg import errors as postgres
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.ingest.errors import BusyError, OutcomeUnknownError
from core.database import is_away
from core.errors import CarillonError
from core.telemetry import log_event

_LOGGER = logging.getLogger(__name__)
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
Work = Callable[[Sequence[_Item]], Sequence[_Result]]
_TRIES = 4
# Two transactions met: the loser's is gone, and running it again is safe.
_COLLISIONS = (postgres.DeadlockDetected, postgres.UniqueViolation, postgres.SerializationFailure)
_WAITED_TOO_LONG = (postgres.LockNotAvailable, postgres.QueryCanceled)


def write_together(
    work: Work[_Item, _Result],
    items: Sequence[_Item],
    refuse: Callable[[_Item, Exception], _Result | Exception],
) -> list[_Result | Exception]:
    """Return what became of each item: a result, or the error its request is answered with.

    `work` writes items in a transaction of its own, all or none. `refuse` answers the single
    item whose data PostgreSQL does not take.
    """
    try:
        return list(_write(work, items))
    except CarillonError as error:
        return [error] * len(items)
    except (DBAPIError, psycopg.Error, PoolTimeoutError) as error:
        named = _not_the_data(error)
        if named is not None:
            return [named] * len(items)
        if len(items) == 1:
            return [refuse(items[0], error)]
    middle = len(items) // 2
    return [
        *write_together(work, items[:middle], refuse),
        *write_together(work, items[middle:], refuse),
    ]


def _write(work: Work[_Item, _Result], items: Sequence[_Item]) -> Sequence[_Result]:
    for _ in range(_TRIES - 1):
        try:
            return work(items)
        except DBAPIError as error:
            if not isinstance(error.orig, _COLLISIONS):
                raise
        except _COLLISIONS:
            pass
    return work(items)


def _not_the_data(error: Exception) -> CarillonError | None:
    """Return how to answer an error that no item is to blame for; None when one may be."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    log_event(_LOGGER, "ingest.failed", error=type(cause).__name__)
    if isinstance(cause, (PoolTimeoutError, *_WAITED_TOO_LONG, *_COLLISIONS)):
        return BusyError()
    return OutcomeUnknownError() if is_away(error) else None
