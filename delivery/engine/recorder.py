"""Recording steps: one transaction each, repeated until PostgreSQL says what became of it."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum, auto

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.database import begin_unhurried, driver_connection, is_away
from core.telemetry import log_event
from delivery.chunks import recording_repository, repository
from delivery.chunks.chunk import Step
from delivery.engine.open_chunk import OpenChunk
from delivery.messages import repository as messages

_LOGGER = logging.getLogger(__name__)
_DEADLOCK_TRIES = 3
# Of the connections of a worker two are left, to the engine's thread and to the opener's.
_THREADS = 2


class Recorded(Enum):
    """What became of the attempt to record a step."""

    COMMITTED = auto()
    LOST = auto()  # another worker holds the chunk, or it is gone
    AWAY = auto()  # PostgreSQL does not answer: keep the outcomes and try again


class Recorder:
    """Records steps beside the engine's thread, which sends meanwhile: COMMIT waits for the disk.

    One step of a chunk at a time, several chunks together. A chunk that waits for its step takes
    answers, but opens no window and sends none.
    """

    def __init__(self, database: Engine, lease_seconds: float) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="recorder")
        self._pending: dict[OpenChunk, tuple[Future[Recorded], float]] = {}

    def record(self, chunk: OpenChunk) -> tuple[Recorded, float] | None:
        """Return what became of the chunk's step, and when it began; None while it is under way.

        Starts the step when none is under way. The moment is monotonic: the lease counts from it.
        """
        pending = self._pending.get(chunk)
        if pending is None:
            began, is_repeat = time.monotonic(), chunk.attempted is not None
            given = (self._database, chunk, chunk.build_step(), self._lease_seconds)
            future = self._threads.submit(_settle, *given, is_repeat=is_repeat)
            self._pending[chunk] = (future, began)
            return None
        future, began = pending
        if not future.done():
            return None
        del self._pending[chunk]
        return future.result(), began

    def forget(self, chunk: OpenChunk) -> None:
        """Ask no more about a chunk; a step that is under way may still hold."""
        self._pending.pop(chunk, None)

    def futures(self) -> list[Future[Recorded]]:
        """Return the steps that are under way."""
        return [future for future, _ in self._pending.values()]

    def close(self) -> None:
        """Wait for what is under way and end the threads."""
        self._threads.shutdown()


def record(engine: Engine, chunk: OpenChunk, lease_seconds: float) -> Recorded:
    """Record the chunk's present step; after a lost COMMIT, find out first whether it held."""
    is_repeat = chunk.attempted is not None
    return _settle(engine, chunk, chunk.build_step(), lease_seconds, is_repeat=is_repeat)


def _settle(
    engine: Engine, chunk: OpenChunk, step: Step, lease_seconds: float, *, is_repeat: bool
) -> Recorded:
    try:
        if is_repeat:
            standing = _standing(engine, chunk)
            if standing is not None:
                return standing
        # Where it was not held, an earlier try may have ended only while this one waited for it.
        is_written = _write(engine, chunk, step, lease_seconds)
        standing = Recorded.COMMITTED if is_written else _standing(engine, chunk)
    except (psycopg.Error, DBAPIError, PoolTimeoutError) as error:
        log_event(
            _LOGGER, "chunk.record_failed", chunk_id=chunk.lease.id, error=type(error).__name__
        )
        if is_away(error):
            return Recorded.AWAY
        # It would refuse the same step for ever: the lease runs out, and the policy decides.
        _LOGGER.exception("chunk.step_refused", extra={"chunk_id": chunk.lease.id})
        return Recorded.LOST
    if standing is Recorded.COMMITTED:
        if not step.open and step.intended == len(chunk.lease.device_ids):
            _finish(engine, chunk)
        return standing
    log_event(_LOGGER, "chunk.lease_lost", chunk_id=chunk.lease.id)
    return Recorded.LOST


def _finish(engine: Engine, chunk: OpenChunk) -> None:
    """Finish the message if this was its last chunk."""
    try:
        with begin_unhurried(engine) as connection:
            messages.mark_first_pass(connection, chunk.lease.message.id)
            messages.finish_done(connection, chunk.lease.message.id)
    except (DBAPIError, PoolTimeoutError) as error:
        # The sweep finishes it: what counts is recorded already.
        log_event(_LOGGER, "message.finish_failed", error=type(error).__name__)


def _write(engine: Engine, chunk: OpenChunk, step: Step, lease_seconds: float) -> bool:
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
