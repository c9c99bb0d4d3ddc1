"""Group commit: requests that arrive together are written together, and answered afterwards.

Each app has a lane of its own for each kind of work. While a lane's transaction runs, what arrives
gathers for the next one; lanes take turns at the writers, so no app waits for another's rows.
Knows nothing of what is written. All but the writing happens on the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from api.ingest.errors import BusyError, OutcomeUnknownError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
# Gets an app and items, returns what became of each, in order; runs in a thread.
Write = Callable[[int, Sequence[_Item]], Sequence[_Result | Exception]]


@dataclass(frozen=True, slots=True)
class Room:
    """How much may wait or be under way, and how much one transaction takes.

    An app may fill a quarter of the room: the others still find some.
    """

    items: int
    bytes: int
    batch_items: int = 1_000


# Tickets are compared with nobody, and made for every request.
@dataclass(slots=True, eq=False)
class _Ticket:
    items: Sequence[Any]
    size: int
    answer: "asyncio.Future[Sequence[Any]]"


@dataclass(slots=True, eq=False)
class _Lane:
    write: Write[Any, Any]
    app_id: int
    waiting: deque[_Ticket] = field(default_factory=deque)
    is_listed: bool = False


class Group:
    """The writers of one process, and all lanes. Belongs to one event loop, that of first use."""

    def __init__(self, writers: int, room: Room) -> None:
        self._room = room
        self._writers = writers
        self._threads: ThreadPoolExecutor | None = None
        self._free = writers
        self._lanes: dict[tuple[Write[Any, Any], int], _Lane] = {}
        self._ready: deque[_Lane] = deque()
        self._held: dict[int, list[int]] = {}
        self._items = 0
        self._bytes = 0
        self._is_scheduled = False

    async def submit(
        self, write: Write[_Item, _Result], app_id: int, items: Sequence[_Item], size: int
    ) -> Sequence[_Result]:
        """Return what became of the items once that is committed, in order.

        `size` is about how many bytes they take. Raises `BusyError` at once when there is no
        room, and what the writing of one of the items raised.
        """
        loop = asyncio.get_running_loop()
        self._take(app_id, len(items), size)
        try:
            lane = self._lanes.get((write, app_id))
            if lane is None:
                lane = self._lanes[write, app_id] = _Lane(write, app_id)
            ticket = _Ticket(items, size, loop.create_future())
            lane.waiting.append(ticket)
            self._list(lane)
            results = await ticket.answer
        finally:
            self._give(app_id, len(items), size)
        errors = [result for result in results if isinstance(result, Exception)]
        if len(errors) == len(results):
            raise errors[0]
        if errors:
            # Some of it is stored: no error that says otherwise would be true.
            raise OutcomeUnknownError from errors[0]
        return results

    def close(self) -> None:
        """Wait for what is being written and end the threads; the next request starts some."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def _take(self, app_id: int, items: int, size: int) -> None:
        held = self._held.setdefault(app_id, [0, 0])
        room = self._room
        all_full = self._items + items > room.items or self._bytes + size > room.bytes
        own_full = held[0] + items > room.items // 4 or held[1] + size > room.bytes // 4
        # One that finds nobody before it is taken however large it is: bodies have a limit.
        if (all_full and self._items) or (own_full and held[0]):
            if not held[0]:
                del self._held[app_id]
            raise BusyError
        held[0] += items
        held[1] += size
        self._items += items
        self._bytes += size

    def _give(self, app_id: int, items: int, size: int) -> None:
        held = self._held[app_id]
        held[0] -= items
        held[1] -= size
        self._items -= items
        self._bytes -= size
        if not held[0]:
            del self._held[app_id]

    def _list(self, lane: _Lane) -> None:
        if not lane.is_listed:
            lane.is_listed = True
            self._ready.append(lane)
        if self._free and not self._is_scheduled:
            # What else arrives in this turn of the loop goes along.
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._is_scheduled = False
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._writers, thread_name_prefix="ingest")
        while self._free and self._ready:
            lane = self._ready.popleft()
            tickets, items = self._gather(lane)
            if not tickets:
                lane.is_listed = False
                del self._lanes[lane.write, lane.app_id]
                continue
            self._free -= 1
            loop = asyncio.get_running_loop()
            written = loop.run_in_executor(self._threads, _run, lane, items)
            written.add_done_callback(partial(self._end, lane, tickets))

    def _gather(self, lane: _Lane) -> tuple[list[_Ticket], list[Any]]:
        tickets: list[_Ticket] = []
        items: list[Any] = []
        while lane.waiting:
            ticket = lane.waiting[0]
            if items and len(items) + len(ticket.items) > self._room.batch_items:
                break
            lane.waiting.popleft()
            tickets.append(ticket)
            items += ticket.items
        return tickets, items

    def _end(
        self,
        lane: _Lane,
        tickets: Sequence[_Ticket],
        done: "asyncio.Future[Sequence[Any]]",
    ) -> None:
        self._free += 1
        results = done.result()
        start = 0
        for ticket in tickets:
            end = start + len(ticket.items)
            if not ticket.answer.done():
                ticket.answer.set_result(results[start:end])
            start = end
        # Behind the others: each lane gets a turn.
        self._ready.append(lane)
        self._start()


def _run(lane: _Lane, items: Sequence[Any]) -> Sequence[Any]:
    try:
        return lane.write(lane.app_id, items)
    except Exception as error:  # noqa: BLE001 - whatever it is, each request is told.
        return [error] * len(items)
