"""Recording steps: one transaction each, repeated until PostgreSQL says what became of it."""

import logging
from enum import Enum, auto

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.database import driver_connection, is_away
from core.telemetry import log_event
from delivery.chunks import recording_repository, repository
from delivery.chunks.chunk import Step
from delivery.engine.open_chunk import OpenChunk

_LOGGER = logging.getLogger(__name__)
_DEADLOCK_TRIES = 3


class Recorded(Enum):
    """What became of the attempt to record a step."""

    COMMITTED = auto()
    LOST = auto()  # another worker holds the chunk, or it is gone
    AWAY = auto()  # PostgreSQL does not answer: keep the outcomes and try again


def record(engine: Engine, chunk: OpenChunk, lease_seconds: float) -> Recorded:
    """Record the chunk's present step; after a lost COMMIT, find out first whether it held."""
    is_repeat = chunk.attempted is not None
    step = chunk.build_step()
    try:
        if is_repeat:
            standing = _standing(engine, chunk)
            if standing is not None:
                return standing
        held = _record(engine, chunk, step, lease_seconds)
    except (psycopg.Error, DBAPIError, PoolTimeoutError) as error:
        log_event(
            _LOGGER, "chunk.record_failed", chunk_id=chunk.lease.id, error=type(error).__name__
        )
        if is_away(error):
            return Recorded.AWAY
        # It would refuse the same step for ever: the lease runs out, and the policy decides.
        _LOGGER.exception("chunk.step_refused", extra={"chunk_id": chunk.lease.id})
        return Recorded.LOST
    if held:
        return Recorded.COMMITTED
    log_event(_LOGGER, "chunk.lease_lost", chunk_id=chunk.lease.id)
    return Recorded.LOST


def _record(engine: Engine, chunk: OpenChunk, step: Step, lease_seconds: float) -> bool:
    given = (chunk.lease, chunk.cursor, step, lease_seconds)
    with driver_connection(engine) as connection:
        for _ in range(_DEADLOCK_TRIES - 1):
            try:
                return recording_repository.record(connection, *given)
            except psycopg.errors.DeadlockDetected:
                # PostgreSQL has undone all of it for somebody else's sake.
                log_event(_LOGGER, "chunk.deadlock", chunk_id=chunk.lease.id)
        return recording_repository.record(connection, *given)


def _standing(engine: Engine, chunk: OpenChunk) -> Recorded | None:
    # A COMMIT without an answer may have held: the cursor tells.
    with engine.connect() as connection:
        present = repository.position_of(connection, chunk.lease)
    if present is None or present[0] != chunk.lease.fence:
        return Recorded.LOST
    return Recorded.COMMITTED if present[1] == chunk.cursor + 1 else None
