"""The engine that walks chunks: several windows prepare, send and record side by side.

One thread sends and changes chunks; others prepare and record, which is mostly waiting for
PostgreSQL. It knows neither templates nor attributes: a `Preparer` does.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

import psycopg
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.clock import steady_seconds
from core.database import is_away
from core.telemetry import log_event
from delivery.chunks import repository as chunks
from delivery.engine.defects import Failures
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.openings import Bounds, Openings
from delivery.engine.options import EngineOptions
from delivery.engine.recall import Recall
from delivery.engine.record_rules import is_at_rest, is_time_to_record
from delivery.engine.recorder import Recorded, Recorder
from delivery.engine.sender import Sender
from delivery.engine.shares import Shares, horizon_seconds, slots_taken
from delivery.engine.step_rules import may_depart, may_open
from delivery.engine.token_watch import TokenWatch
from delivery.engine.window import Window
from delivery.transport import Transport

_LOGGER = logging.getLogger(__name__)
_AWAY_SECONDS = 0.25
_DEFECT_PAUSE_SECONDS = 30.0
_PUMP_SECONDS = 0.01
# While something is prepared or recorded: what waits for it shall not wait for an answer, too.
_PUMP_BUSY_SECONDS = 0.001
_CLAIM_PAUSE_SECONDS = 0.1
# A window that waited longer than this reads its control row again before it leaves.
_CONTROL_SECONDS = 0.25
# How long before a window leaves its intent is recorded, when it has to wait for its time.
_INTENT_AHEAD_SECONDS = 0.1


class Engine:
    """Claims the best due chunks of one lane and works on them until none is left."""

    def __init__(
        self,
        database: Database,
        transport: Transport,
        openings: Openings,
        sender: Sender,
        options: EngineOptions,
    ) -> None:
        self._database = database
        self._transport = transport
        self._openings = openings
        self._sender = sender
        self._options = options
        self._recorder = Recorder(database, options.lease_seconds)
        self._recall = Recall(database)
        self._owner = chunks.Owner(options.lane, options.owner, options.lease_seconds)
        self._chunks: list[OpenChunk] = []
        self._shares = Shares((), options.in_doubt_limit)
        self._failures = Failures()
        self._tokens = TokenWatch(options.guard, database)
        self._claim_after = 0.0
        self._away_until = 0.0
        self._woken = threading.Event()
        self._is_lingering = False

    def wake(self) -> None:
        """Claim at the next turn, whatever the last claim found; any thread may call it."""
        self._woken.set()

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Work until nothing is due; return how many chunks were finished or handed back.

        When `should_stop` says so, no window opens any more and the chunks are handed back as
        soon as what is on its way has answered or timed out.
        """
        finished, stop_at = 0, None
        # Idle connections are looked after, too: pings want answers, ends want to be noticed.
        self._transport.pump(0)
        # Whoever wakes us has seen more than our last look, however short a while ago that was.
        self._claim_after = self._away_until
        while True:
            if stop_at is None and should_stop():
                stop_at = steady_seconds() + self._options.stop_seconds
            if stop_at is None:
                self._claim()
            for chunk in self._chunks if stop_at else ():
                chunk.drain()
            if stop_at is not None and (not self._chunks or steady_seconds() > stop_at):
                return finished
            if not self._chunks and not self._lingers():
                self._tokens.tell(self._recorder.aside)  # what the last chunks brought
                return finished
            finished += self._advance_all()
            self._recall.look_again(self._chunks)
            self._wait()
            self._recall.look(self._chunks)

    def _lingers(self) -> bool:
        """Tell whether to look again soon: a rate that refused permits may have been raised."""
        was_lingering = self._is_lingering
        self._is_lingering = bool(self._openings.far())
        if was_lingering and not self._is_lingering:
            self._claim_after = self._away_until
        return was_lingering or self._is_lingering

    def leave(self) -> None:
        """Let others know what this engine alone has seen; nothing runs any more."""
        self._tokens.tell(self._recorder.aside, at_once=True)

    def close(self) -> None:
        """Close the connections to gateways and to the pacer; nothing may run any more."""
        self._openings.close()
        self.leave()
        self._recorder.close()
        self._transport.close()

    def _claim(self) -> None:
        now = steady_seconds()
        room = int(self._options.max_chunks - slots_taken(self._chunks))
        if room <= 0 or now < self._away_until or self._shares.room <= 0:
            return
        if room < min(len(self._chunks), self._options.claim_batch // 2):
            return  # Each claim costs a round trip in which nothing is sent.
        if now < self._claim_after and not self._woken.is_set():
            return
        # Before the question: what is committed after it sends another nudge.
        self._woken.clear()
        try:
            # Durable: a fence that a crash of the server takes back would be given out twice.
            with self._database.begin() as connection:
                limit = min(room, self._options.claim_batch)
                leases = chunks.claim(connection, self._owner, self._hands(), limit=limit)
        except (DBAPIError, PoolTimeoutError) as error:
            self._note_away("chunk.claim_failed", error)
            return
        until = now + self._options.lease_seconds
        self._chunks.extend(self._failures.judge(OpenChunk(lease, until)) for lease in leases)
        if not leases:
            self._claim_after = now + _CLAIM_PAUSE_SECONDS

    def _hands(self) -> chunks.Hands:
        held = Counter((one.lease.message.app_id, one.lease.message.id) for one in self._chunks)
        return chunks.Hands(held, self._openings.far())

    def _note_away(self, event: str, error: Exception) -> None:
        self._away_until = steady_seconds() + _AWAY_SECONDS
        self._claim_after = self._away_until
        log_event(_LOGGER, event, error=type(error).__name__)

    def _advance_all(self) -> int:
        finished = 0
        # Each is first at times: what is left of the in-doubt bound goes to whoever comes first.
        self._chunks = self._chunks[1:] + self._chunks[:1]
        self._shares = Shares(self._chunks, self._options.in_doubt_limit, self._tokens)
        for chunk in list(self._chunks):
            try:
                is_over = self._advance(chunk)
            except Exception as error:
                # Its lease runs out, and its policy decides; the other chunks go on.
                _LOGGER.exception("chunk.defect", extra={"chunk_id": chunk.lease.id})
                self._failures.note(chunk, error)
                is_over = True
            if is_over:
                self._chunks.remove(chunk)
                self._recorder.forget(chunk)
                self._openings.forget(chunk)
                finished += 1
        self._tokens.tell(self._recorder.aside)
        return finished

    def _advance(self, chunk: OpenChunk) -> bool:
        now = steady_seconds()
        self._sender.give_up_late(chunk, now)
        if now >= self._away_until:
            self._guarded(chunk, lambda: self._openings.finish(chunk))
            if chunk.next and len(chunk.next.pushes) > self._shares.allowed(chunk):
                # Prepared before so many tokens were refused: a smaller one goes first.
                chunk.give_back()
            self._open_window(chunk, now)
            if self._must_record(chunk, now) and self._record(chunk):
                return True
        self._send_window(chunk)
        return False

    def _open_window(self, chunk: OpenChunk, now: float) -> None:
        if now < chunk.open_after or not may_open(chunk):
            return
        horizon = horizon_seconds(chunk, self._chunks, now)
        ahead = self._openings.ahead_seconds(chunk)
        if ahead > horizon:
            chunk.open_after = now + ahead - horizon
            return
        size = min(self._options.window_size, self._shares.part(chunk))
        bounds = Bounds(size, self._shares.allowed(chunk), horizon)
        self._guarded(chunk, lambda: self._openings.start(chunk, bounds))

    def _guarded(self, chunk: OpenChunk, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            if is_away(error):
                self._note_away("window.open_failed", error)
                return
            # A defect of ours must not hold up the other chunks.
            _LOGGER.exception("window.defect", extra={"chunk_id": chunk.lease.id})
            chunk.drain(_DEFECT_PAUSE_SECONDS)

    def _must_record(self, chunk: OpenChunk, now: float) -> bool:
        if chunk.attempted is not None:
            return True
        closed = chunk.window is None or chunk.window.is_closed(now)
        chunk.may_intend = self._may_intend(chunk, now)
        ready = chunk.next is not None and not chunk.next.is_intended and chunk.may_intend
        # At least once needs no intent: what is not recorded is sent again anyway.
        return (
            (closed and ready and not chunk.at_least_once)
            or (closed and ready and chunk.next is not None and not chunk.next.pushes)
            or (chunk.has_outcomes() and self._is_time_to_record(chunk, now))
            or (is_at_rest(chunk) and (chunk.has_outcomes() or chunk.draining))
            or now >= chunk.lease_until - self._options.lease_seconds / 2
        )

    def _is_time_to_record(self, chunk: OpenChunk, now: float) -> bool:
        return is_time_to_record(chunk, now, is_scarce=self._shares.is_scarce(chunk))

    def _may_intend(self, chunk: OpenChunk, now: float) -> bool:
        # A window that waits for its time is in doubt only when that is near.
        is_near = chunk.next is not None and now >= chunk.next.not_before - _INTENT_AHEAD_SECONDS
        return is_near and self._shares.has_room(chunk)

    def _record(self, chunk: OpenChunk) -> bool:
        before = chunk.in_doubt()
        result = self._recorder.record(chunk)
        if result is None:
            # It has begun: what the step intends is in doubt from now on.
            self._shares.add(chunk, chunk.in_doubt() - before)
            return False
        if result is Recorded.AWAY:
            self._away_until = steady_seconds() + _AWAY_SECONDS
            return False
        if result is Recorded.LOST:
            return True
        if chunk.attempted is not None:
            self._tokens.note(chunk, chunk.attempted)
            self._failures.forgive(chunk, chunk.attempted)
        return chunk.recorded(self._options.lease_seconds, steady_seconds())

    def _send_window(self, chunk: OpenChunk) -> None:
        window, now = chunk.next, steady_seconds()
        if window is None or chunk.attempted or now < window.not_before:
            return
        is_free = chunk.window is None or chunk.window.is_closed(now)
        if is_free and may_depart(chunk, has_room=self._shares.has_room(chunk)):
            if self._may_still_leave(chunk, window):
                before = chunk.in_doubt()
                self._sender.send(chunk, chunk.depart(now))
                self._shares.add(chunk, chunk.in_doubt() - before)
                window.let_go()
        elif window.is_intended and not window.pushes:
            chunk.next = None

    def _may_still_leave(self, chunk: OpenChunk, window: Window) -> bool:
        now = steady_seconds()
        is_fresh = now < window.checked_at + _CONTROL_SECONDS
        if is_fresh and not self._tokens.is_failing(chunk):
            return True
        if now < self._away_until:
            return False
        try:
            return self._openings.may_still_leave(chunk)
        except (psycopg.Error, DBAPIError, PoolTimeoutError) as error:
            self._note_away("window.check_failed", error)
            return False

    def _wait(self) -> None:
        others: list[Future[Any]] = [*self._recorder.futures(), *self._openings.futures()]
        if self._transport.in_flight():
            self._transport.pump(_PUMP_BUSY_SECONDS if others else _PUMP_SECONDS)
        elif others:
            wait(others, _PUMP_SECONDS, return_when=FIRST_COMPLETED)
        elif self._is_waiting():
            time.sleep(_PUMP_SECONDS)

    def _is_waiting(self) -> bool:
        now = steady_seconds()
        away = now < self._away_until
        return away or all(one.waiting(now) or now < one.open_after for one in self._chunks)
