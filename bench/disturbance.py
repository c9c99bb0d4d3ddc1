"""What is done to Redis in the middle of a measurement."""

import threading
import time
from dataclasses import dataclass

import redis

from api.services.pair import Pair


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Forget everything in Redis, or have it stopped for some seconds; both may be."""

    wipe: bool = False
    stop_seconds: float = 0.0

    def begin(self, pair: Pair, at: float) -> threading.Thread:
        """Do it at a moment of Unix time, in a thread of its own, which is returned."""
        thread = threading.Thread(target=self._run, args=(pair, at), daemon=True)
        thread.start()
        return thread

    def _run(self, pair: Pair, at: float) -> None:
        time.sleep(max(0.0, at - time.time()))
        if self.wipe:
            with redis.Redis.from_url(pair.redis_url) as client:
                client.flushall()
        if self.stop_seconds:
            pair.valkey.stop()
            time.sleep(self.stop_seconds)
            # On the same socket, and empty.
            pair.valkey.start()
