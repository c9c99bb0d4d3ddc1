"""Taking back what left the engine and was not written, once it must not be sent any more."""

import logging
from collections.abc import Sequence

import psycopg
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.clock import steady_seconds
from core.database import driver_connection
from core.telemetry import log_event
from delivery.engine import repository
from delivery.engine.open_chunk import OpenChunk

_LOGGER = logging.getLogger(__name__)
# Nothing begins to leave whose control row was read longer ago than this.
_CONTROL_SECONDS = 0.25
# Between two turns of the transport the engine may be held up, by a claim or a token of others.
_LONG_SECONDS = 0.05


class Recall:
    """Looks after pushes that wait in a provider or transport: for a token, connection or stream.

    Those that are answered in time cost nothing here: no control row is read for them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._away_until = self._looked_at = 0.0

    def look_again(self, chunks: Sequence[OpenChunk]) -> None:
        """Look before the next `pump` if the last look is a while ago."""
        if steady_seconds() - self._looked_at >= _LONG_SECONDS:
            self.look(chunks)

    def look(self, chunks: Sequence[OpenChunk]) -> None:
        """Read control rows that are old, of chunks with unwritten pushes; withdraw the stopped.

        To be called after each `pump`: what it could not write, or has taken back from a
        connection that ended, would leave with the next one.
        """
        self._looked_at = now = steady_seconds()
        old = [one for one in chunks if one.flying and now - one.checked_at >= _CONTROL_SECONDS]
        held = _held(old) if old and now >= self._away_until else []
        if not held:
            return
        try:
            with driver_connection(self._database) as connection:
                stopped = repository.read_stopped(connection, [chunk.lease for chunk in held])
        except (psycopg.Error, DBAPIError, PoolTimeoutError) as error:
            self._away_until = steady_seconds() + _CONTROL_SECONDS
            log_event(_LOGGER, "window.recall_failed", error=type(error).__name__)
            return
        for number, chunk in enumerate(held):
            chunk.checked_at = now
            if number in stopped:
                _withdraw(chunk)


def _held(chunks: Sequence[OpenChunk]) -> list[OpenChunk]:
    # Each chunk has one provider.
    providers = {id(one): one for one in [chunk.departed[0].provider for chunk in chunks]}
    unwritten = {report for one in providers.values() for report in one.unwritten()}
    if not unwritten:
        return []
    return [one for one in chunks if any(window.report in unwritten for window in one.departed)]


def _withdraw(chunk: OpenChunk) -> None:
    before = chunk.flying
    # What is reported at once leaves the list.
    for window in list(chunk.departed):
        if window.report is not None:
            window.provider.withdraw(window.report)
    log_event(_LOGGER, "chunk.recalled", chunk_id=chunk.lease.id, flying=before)
