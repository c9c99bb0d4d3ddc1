"""Recording steps: one transaction each, repeated until PostgreSQL says what became of it."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum, auto
from typing import TypeVar

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.clock import steady_seconds
from core.database import begin_unhurried, driver_connection, is_away
from core.telemetry import log_event
from delivery.chunks import recording_repository, repository
from delivery.chunks.chunk import Step
from delivery.engine.open_chunk import OpenChunk
from delivery.messages import repository as messages

_LOGGER = logging.getLogger(__name__)
T = TypeVar("T")
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
        self._pending: dict[OpenChunk, Future[Recorded]] = {}

    def record(self, chunk: OpenChunk) -> Recorded | None:
        """Return what became of the chunk's step; None while it is under way.

        Starts the step when none is under way. Raises what PostgreSQL says of one it refuses.
        """
        pending = self._pending.get(chunk)
        if pending is None:
            is_repeat, step = chunk.attempted is not None, chunk.build_step(steady_seconds())
            given = (self._database, chunk, step, self._lease_seconds)
            self._pending[chunk] = self._threads.submit(_settle, *given, is_repeat=is_repeat)
            return None
        if not pending.done():
            return None
        del self._pending[chunk]
        return pending.result()

    def aside(self, work: Callable[[T], None], given: T) -> "Future[None]":
        """Do something else between steps."""
        return self._threads.submit(work, given)

    def forget(self, chunk: OpenChunk) -> None:
        """Ask no more about a chunk; a step that is under way may still hold."""
        self._pending.pop(chunk, None)

    def futures(self) -> list[Future[Recorded]]:
        """Return the steps that are under way."""
        return list(self._pending.values())

    def close(self) -> None:
        """Wait for what is under way and end the threads."""
        self._threads.shutdown()


def record(engine: Engine, chunk: OpenChunk, lease_seconds: float) -> Recorded:
    """Record the chunk's present step; after a lost COMMIT, find out first whether it held."""
    is_repeat = chunk.attempted is not None
    step = chunk.build_step(steady_seconds())
    return _settle(engine, chunk, step, lease_seconds, is_repeat=is_repeat)


def _settle(
    engine: Engine, chunk: OpenChunk, step: Step, lease_seconds: float, *, is_repeat: bool
) -> Recorded:
    try:
        standing = settled(
            lambda: _standing(engine, chunk),
            lambda: _write(engine, chunk, step, lease_seconds),
            is_repeat=is_repeat,
        )
    except (psycopg.Error, DBAPIError, PoolTimeoutError) as error:
        log_event(
            _LOGGER, "chunk.record_failed", chunk_id=chunk.lease.id, error=type(error).__name__
        )
        if is_away(error):
            return Recorded.AWAY
        # It would refuse the same step for ever.
        raise
    if standing is Recorded.COMMITTED:
        if not step.open and step.intended == len(chunk.lease.device_ids):
            _finish(engine, chunk)
        return standing
    log_event(_LOGGER, "chunk.lease_lost", chunk_id=chunk.lease.id)
    return Recorded.LOST


def settled(
    stands: Callable[[], Recorded | None], write: Callable[[], bool], *, is_repeat: bool
) -> Recorded:
    """Write a step unless it is known to be written already or to be lost; tell which it is.

    `stands` says what is known of the step without writing it: None when it may still be written.
    """
    standing = stands() if is_repeat else None
    if standing is not None:
        return standing
    if write():
        return Recorded.COMMITTED
    # It was not held; an earlier try may have ended only while this one waited for it.
    return stands() or Recorded.LOST


def standing_of(present: tuple[int, int] | None, fence: int, cursor: int) -> Recorded | None:
    """Return what (fence, cursor) of a chunk, None when it is gone, say of a step at `cursor`."""
    if present is None or present[0] != fence:
        return Recorded.LOST
    return Recorded.COMMITTED if present[1] == cursor + 1 else None


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
    return standing_of(present, chunk.lease.fence, chunk.cursor)
