"""Where marks are kept, for tests that put them there and ask for permits."""

from collections.abc import Sequence
from typing import Protocol

import redis
from sqlalchemy import Engine, text

from core.database import rows
from delivery.pacing import postgres_permits, standing
from delivery.pacing.gcra import Limit, Share, Wish
from delivery.pacing.redis_permits import RedisPermits, Turned
from delivery.pacing.standing import Standing

# When the next permit is due, when the reserved share is free again (Unix seconds), and the rate.
Kept = tuple[float, float, float]


class Store(Protocol):
    """What keeps the marks of all limits."""

    def now(self) -> float:
        """Return the time of the store's own clock, in Unix seconds."""
        ...

    def put(self, scope: str, kept: Kept) -> None:
        """Keep a mark."""
        ...

    def get(self, scope: str, share: Share = Share.TRANSACTIONAL) -> Kept | None:
        """Return a mark, with that of one of its shares."""
        ...

    def take(self, limits: Sequence[Limit], wish: Wish) -> float:
        """Ask for permits."""
        ...


class RedisStore:
    """Marks in Redis."""

    def __init__(self, client: "redis.Redis", prefix: str) -> None:
        self._client = client
        self._start = f"{prefix}pace:{{installation}}:"
        self._standing = Standing("installation", 7, "redis", 5.0, 1e9)
        self._permits = RedisPermits(client, prefix)

    def now(self) -> float:
        seconds, microseconds = self._client.time()
        return float(seconds) + microseconds / 1e6

    def put(self, scope: str, kept: Kept) -> None:
        due, reserved, rate = kept
        shares = [word for share in Share for word in (share.value, f"{reserved:.6f}")]
        values = ["due", f"{due:.6f}", *shares, "rate", f"{rate:.9g}"]
        self._client.hset(f"{self._start}7:{scope}", items=values)

    def get(self, scope: str, share: Share = Share.TRANSACTIONAL) -> Kept | None:
        due, reserved, rate = self._client.hmget(
            f"{self._start}7:{scope}", ["due", share.value, "rate"]
        )
        if due is None or reserved is None or rate is None:
            return None
        return float(due), float(reserved), float(rate)

    def take(self, limits: Sequence[Limit], wish: Wish) -> float:
        answer = self._permits.take(self._standing, limits, wish, may_begin=True)
        assert not isinstance(answer, Turned)
        return answer


class PostgresStore:
    """Marks in PostgreSQL, which is the pacer."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        with database.begin() as connection:
            seen = standing.read(connection)
            self._epoch = standing.switch(connection, seen, "postgresql").epoch

    def now(self) -> float:
        with self._database.connect() as connection:
            found = rows(connection, "SELECT extract(epoch FROM clock_timestamp())::float8 AS now")
        return float(found[0].now)

    def put(self, scope: str, kept: Kept) -> None:
        due, reserved, rate = kept
        values = {"scope": scope, "due": due, "reserved": reserved, "rate": rate}
        with self._database.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO pace (scope, arrival_at, reserved_at, slow_at, per_second) VALUES "
                    "(:scope, to_timestamp(:due), to_timestamp(:reserved), "
                    "to_timestamp(:reserved), :rate)"
                ),
                values,
            )

    def get(self, scope: str, share: Share = Share.TRANSACTIONAL) -> Kept | None:
        column = "slow_at" if share is Share.SLOW else "reserved_at"
        with self._database.connect() as connection:
            found = rows(
                connection,
                "SELECT extract(epoch FROM arrival_at)::float8 AS due, per_second AS rate, "
                f"extract(epoch FROM {column})::float8 AS reserved FROM pace "
                "WHERE scope = :scope AND per_second IS NOT NULL",
                scope=scope,
            )
        return (found[0].due, found[0].reserved, found[0].rate) if found else None

    def take(self, limits: Sequence[Limit], wish: Wish) -> float:
        with self._database.begin() as connection:
            wait = postgres_permits.take(connection, self._epoch, limits, wish)
        assert wait is not None
        return wait
