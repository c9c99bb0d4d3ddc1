"""Two workers and a quota, while Redis forgets, dies, comes back, or is away for one of them.

What is counted are permits: by the moment at which each lets its pushes leave.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

from api.commands.migrate import migrate
from api.services.pair import Pair
from core.database import open_engine
from delivery.pacing import standing
from delivery.pacing.gcra import HORIZON_SECONDS, Limit, Wish
from delivery.pacing.pacer import Pacer
from delivery.pacing.redis_permits import RedisPermits
from tests.deadlines import note

LIMIT = Limit("quota", 2_000.0, 0.1)
WINDOW = 50
# A worker that asks the pacer of before: what it gets meanwhile, on a busy machine.
STALE_SECONDS = 0.5


class Worker(threading.Thread):
    """Asks for permits as an engine does: what it knows of the pacer is read for each window."""

    def __init__(self, database: Engine, redis_url: str, prefix: str) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._permits = RedisPermits.open(redis_url, prefix)
        self._over = threading.Event()
        self._cut = threading.Event()
        self.leaving: list[tuple[float, int]] = []
        self.epochs: list[tuple[str, int]] = []

    def run(self) -> None:
        pacer = Pacer(self._database, self._permits)
        while not self._over.is_set():
            if self._cut.is_set():
                # Whether there are new ones is for the address to say.
                self._permits._redis.connection_pool.disconnect()
                self._cut.clear()
            with self._database.connect() as connection:
                seen = standing.read(connection)
            self.epochs.append((seen.live, seen.epoch))
            wait = pacer.take(seen, [LIMIT], Wish(WINDOW))
            if wait <= HORIZON_SECONDS:
                self.leaving.append((time.monotonic() + wait, WINDOW))
            else:
                time.sleep(0.02)
        pacer.close()

    def lose_connections(self) -> None:
        """Lose the connections to Redis."""
        self._cut.set()

    def stop(self) -> None:
        """End and wait for it."""
        self._over.set()
        self.join(30)


@pytest.fixture
def database(own_pair: Pair) -> Iterator[Engine]:
    migrate(own_pair.database_url)
    database = open_engine(own_pair.database_url, pool_size=6)
    yield database
    database.dispose()


def check(workers: list[Worker], seconds: float, switches: int, began: float) -> None:
    """Check that the quota was neither exceeded in any stretch of time nor wasted."""
    leaving = sorted(one for worker in workers for one in worker.leaving)
    rate, total, least, worst = LIMIT.per_second, 0, float("inf"), 0.0
    for at, pushes in leaving:
        least = min(least, total - rate * at)
        total += pushes
        worst = max(worst, total - rate * at - least)
    used = sum(pushes for at, pushes in leaving if began <= at < began + seconds)
    note(f"{worst:.0f} beyond the rate at the worst, {used / (rate * seconds):.1%} used")
    note(f"epochs {sorted({one for worker in workers for one in worker.epochs})}")
    bound = rate * LIMIT.burst_seconds + 2 * WINDOW + rate * STALE_SECONDS * switches
    assert worst <= bound
    assert used >= 0.9 * rate * seconds
    assert {len(worker.leaving) > 10 for worker in workers} == {True}


def test_a_quota_is_kept_and_used_while_redis_forgets_dies_and_returns(
    own_pair: Pair, database: Engine
) -> None:
    workers = [Worker(database, own_pair.redis_url, "") for _ in range(2)]
    for worker in workers:
        worker.start()
    began = time.monotonic()

    time.sleep(2)
    with redis.Redis.from_url(own_pair.redis_url) as client:
        client.flushall()
    time.sleep(2)
    own_pair.valkey.stop()
    time.sleep(4)
    own_pair.valkey.start()
    time.sleep(8)
    seconds = time.monotonic() - began
    for worker in workers:
        worker.stop()

    lived = [live for live, _ in workers[0].epochs]
    assert lived[0] == lived[-1] == "redis"
    assert "postgresql" in lived
    with database.connect() as connection:
        assert standing.read(connection).epoch <= 6
    check(workers, seconds, 0, began)


def test_a_redis_that_is_away_for_one_worker_is_left_by_both(
    own_pair: Pair, database: Engine
) -> None:
    path = own_pair.redis_url.removeprefix("unix://").partition("?")[0]
    folder = Path(tempfile.mkdtemp())
    link = folder / "redis"
    link.symlink_to(path)
    workers = [
        Worker(database, own_pair.redis_url, ""),
        Worker(database, own_pair.redis_url.replace(path, str(link)), ""),
    ]
    for worker in workers:
        worker.start()
    began = time.monotonic()

    time.sleep(2)
    link.unlink()
    workers[1].lose_connections()
    time.sleep(3)
    link.symlink_to(path)
    time.sleep(7)
    seconds = time.monotonic() - began
    for worker in workers:
        worker.stop()
    shutil.rmtree(folder)

    for worker in workers:
        assert {live for live, _ in worker.epochs} == {"redis", "postgresql"}
    # One of them could still ask the pacer of before, until it read of the new one.
    check(workers, seconds, 1, began)
