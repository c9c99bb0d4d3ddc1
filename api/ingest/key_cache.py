"""The cache `ingest_keys`: who a key belongs to, so that not every small request asks for it.

Nothing invalidates an entry but its age: a key that was revoked, or lost a scope, is good for one
second more here. Keys that are not good are never kept.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from starlette.concurrency import run_in_threadpool

from api.principal import Principal

STALE_SECONDS = 1.0
_ENTRIES = 10_000
Shown = tuple[str, str]


class KeyCache:
    """Principals by the key and the app that were shown; who misses together asks together."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Shown, tuple[float, Principal]] = OrderedDict()
        self._asked: dict[Shown, asyncio.Task[Principal]] = {}
        self.hits = 0
        self.misses = 0

    async def find(self, shown: Shown, ask: Callable[[], Principal]) -> Principal:
        """Return whose key it is; `ask` finds out, in a thread, and what it raises is raised."""
        entry = self._entries.get(shown)
        if entry is not None and time.monotonic() - entry[0] < STALE_SECONDS:
            self.hits += 1
            return entry[1]
        self.misses += 1
        task = self._asked.get(shown)
        if task is None:
            task = self._asked[shown] = asyncio.create_task(self._ask(shown, ask))
            task.add_done_callback(partial(self._answered, shown))
        # Who goes away must not take the answer of the others along.
        return await asyncio.shield(task)

    async def _ask(self, shown: Shown, ask: Callable[[], Principal]) -> Principal:
        asked_at = time.monotonic()
        principal = await run_in_threadpool(ask)
        self._entries[shown] = (asked_at, principal)
        self._entries.move_to_end(shown)
        if len(self._entries) > _ENTRIES:
            self._entries.popitem(last=False)
        return principal

    def _answered(self, shown: Shown, _task: "asyncio.Task[Principal]") -> None:
        del self._asked[shown]
