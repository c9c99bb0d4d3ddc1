"""The pacer: permits from Redis, from PostgreSQL while Redis is away, and back."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from redis.exceptions import RedisError
from sqlalchemy import Engine

from core.clock import steady_seconds
from core.telemetry import log_event
from delivery.pacing import postgres_permits, standing
from delivery.pacing.gcra import HORIZON_SECONDS, Limit, Wish
from delivery.pacing.redis_permits import RedisPermits, Turned
from delivery.pacing.standing import Standing

_LOGGER = logging.getLogger(__name__)
REDIS, POSTGRESQL = "redis", "postgresql"
_TRIES = 4
_ASK_AGAIN_SECONDS = 1.0


class Pacer:
    """Gives the permits of one worker process; used by one thread."""

    def __init__(self, database: Engine, permits: RedisPermits) -> None:
        self._database = database
        self._permits = permits
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="pacer")
        self._answer: Future[None] | None = None
        self._asked_at = 0.0

    def close(self) -> None:
        """Close the connections to Redis."""
        self._asking.shutdown()
        self._permits.close()

    def take(self, found: Standing, limits: Sequence[Limit], wish: Wish) -> float:
        """Reserve permits under all `limits`; return the seconds to wait for them.

        A wait above the horizon means that nothing was reserved: come back then. Raises
        SQLAlchemy's errors when PostgreSQL is away.
        """
        if not limits or not wish.pushes:
            return 0.0
        if found.is_stale():
            found = self._read()
        may_begin = False
        for _ in range(_TRIES):
            own = replace(wish, settle_seconds=found.settle_seconds())
            if found.live == REDIS:
                wait = self._from_redis(found, limits, own, may_begin=may_begin)
            else:
                wait = self._from_postgresql(found, limits, own)
            if isinstance(wait, float):
                return wait
            # A Redis that has forgotten everything begins with the epoch that was made for it.
            found, may_begin = wait or self._renewed(found), True
        # Somebody else changes it again and again; that ends.
        return HORIZON_SECONDS + _ASK_AGAIN_SECONDS

    def _from_redis(
        self, found: Standing, limits: Sequence[Limit], wish: Wish, *, may_begin: bool
    ) -> float | Standing | None:
        try:
            answer = self._permits.take(found, limits, wish, may_begin=may_begin)
        except RedisError as error:
            return self._switch(found, POSTGRESQL, type(error).__name__)
        if answer is Turned.WIPED:
            return self._switch(found, REDIS, answer.value)
        return None if isinstance(answer, Turned) else answer

    def _from_postgresql(
        self, found: Standing, limits: Sequence[Limit], wish: Wish
    ) -> float | Standing | None:
        if found.age_seconds >= found.stay_seconds and self._redis_is_back():
            return self._switch(found, REDIS, "back")
        with self._database.begin() as connection:
            return postgres_permits.take(connection, found.epoch, limits, wish)

    def _redis_is_back(self) -> bool:
        # In a thread: a server that is silent would hold up the engine for the whole timeout.
        now = steady_seconds()
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            return answer.exception() is None
        if self._answer is None and now - self._asked_at >= _ASK_AGAIN_SECONDS:
            self._asked_at = now
            self._answer = self._asking.submit(self._permits.try_out)
        return False

    def _renewed(self, seen: Standing) -> Standing:
        now = self._read()
        if now.epoch > seen.epoch:
            return now
        # Redis has seen a later epoch than PostgreSQL: the database is an older copy.
        return self._switch(now, REDIS, "restored", anew=True)

    def _read(self) -> Standing:
        with self._database.connect() as connection:
            return standing.read(connection)

    def _switch(self, seen: Standing, live: str, reason: str, *, anew: bool = False) -> Standing:
        with self._database.begin() as connection:
            now = standing.switch(connection, seen, live, anew=anew)
        log_event(_LOGGER, "pacer.switched", live=now.live, epoch=now.epoch, reason=reason)
        return now
