"""Recording steps: one transaction each, repeated until PostgreSQL says what became of it."""

import logging
from enum import Enum, auto

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.database import is_away
from core.telemetry import log_event
from delivery.chunks import repository
from delivery.engine.open_chunk import OpenChunk

_LOGGER = logging.getLogger(__name__)


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
        with engine.begin() as connection:
            held = repository.record(connection, chunk.lease, chunk.cursor, step, lease_seconds)
    except (DBAPIError, PoolTimeoutError) as error:
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


def _standing(engine: Engine, chunk: OpenChunk) -> Recorded | None:
    # A COMMIT without an answer may have held: the cursor tells.
    with engine.connect() as connection:
        present = repository.position_of(connection, chunk.lease)
    if present is None or present[0] != chunk.lease.fence:
        return Recorded.LOST
    return Recorded.COMMITTED if present[1] == chunk.cursor + 1 else None
