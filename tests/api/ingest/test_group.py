"""Group commit by itself: who is written together, who waits for whom, and what is refused."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors as postgres

from api.ingest.errors import BusyError, OutcomeUnknownError
from api.ingest.group import Group, Room
from api.ingest.writing import write_together
from tests.fixtures.loops import run_apart

_ROOM = Room(items=400, bytes=40_000, batch_items=50)


class Writer:
    """Writes nothing, and notes what it was given; while its gate is closed it waits."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, list[Any]]] = []
        self.gates: dict[int, threading.Event] = {}
        self.begun = threading.Event()

    def write(self, app_id: int, items: Sequence[Any]) -> list[Any]:
        self.calls.append((app_id, list(items)))
        self.begun.set()
        gate = self.gates.get(app_id)
        assert gate is None or gate.wait(30)
        return [f"{item} done" for item in items]


@contextmanager
def grouped(writers: int = 2, room: Room = _ROOM) -> Iterator[Group]:
    group = Group(writers, room)
    yield group
    group.close()


def test_what_arrives_together_is_written_together_and_answered_apart() -> None:
    writer = Writer()

    async def scene(group: Group) -> list[Sequence[Any]]:
        asked = [group.submit(writer.write, 1, [number], 10) for number in range(20)]
        return list(await asyncio.gather(*asked))

    with grouped() as group:
        answers = run(scene(group))

    assert answers == [[f"{number} done"] for number in range(20)]
    assert writer.calls == [(1, list(range(20)))]


def test_while_one_is_written_the_next_gather() -> None:
    writer = Writer()
    gate = writer.gates[1] = threading.Event()

    async def scene(group: Group) -> None:
        first = asyncio.create_task(group.submit(writer.write, 1, ["first"], 1))
        await until(writer.begun.is_set)
        rest = [asyncio.create_task(group.submit(writer.write, 1, [n], 1)) for n in range(60)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *rest)

    with grouped() as group:
        run(scene(group))

    assert [len(items) for _, items in writer.calls] == [1, 50, 10]


def test_a_request_is_never_split_over_transactions() -> None:
    writer = Writer()

    async def scene(group: Group) -> None:
        await asyncio.gather(
            *(group.submit(writer.write, 1, [n] * size, 1) for n, size in enumerate((40, 40, 90)))
        )

    with grouped(room=Room(1_000, 10_000, batch_items=50)) as group:
        run(scene(group))

    assert [len(items) for _, items in writer.calls] == [40, 40, 90]


def test_an_app_that_waits_holds_up_no_other() -> None:
    writer = Writer()
    gate = writer.gates[1] = threading.Event()

    async def scene(group: Group) -> Sequence[str]:
        slow = [asyncio.create_task(group.submit(writer.write, 1, [n], 1)) for n in range(30)]
        await until(writer.begun.is_set)
        answered = await group.submit(writer.write, 2, ["quick"], 1)
        assert not any(task.done() for task in slow)
        gate.set()
        await asyncio.gather(*slow)
        return answered

    with grouped() as group:
        assert run(scene(group)) == ["quick done"]


@pytest.mark.parametrize(("items", "size"), [(101, 1), (1, 10_001)])
def test_an_app_fills_a_quarter_of_the_room_and_is_then_told_at_once(items: int, size: int) -> None:
    writer = Writer()
    gate = writer.gates[1] = threading.Event()

    async def scene(group: Group) -> None:
        waiting = asyncio.create_task(group.submit(writer.write, 1, [0], 1))
        await until(writer.begun.is_set)
        with pytest.raises(BusyError):
            await group.submit(writer.write, 1, [0] * items, size)
        assert await group.submit(writer.write, 2, [0] * items, size)
        gate.set()
        await waiting
        assert await group.submit(writer.write, 1, [0] * items, size), "the room is free again"

    with grouped() as group:
        run(scene(group))


def test_all_together_fill_the_room_and_no_more() -> None:
    writer = Writer()
    apps = range(10)
    writer.gates |= {app: threading.Event() for app in apps}

    async def scene(group: Group) -> int:
        tasks = [asyncio.create_task(group.submit(writer.write, n, [0] * 60, 1)) for n in apps]
        await asyncio.sleep(0)
        for gate in writer.gates.values():
            gate.set()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        return sum(isinstance(one, BusyError) for one in ends)

    with grouped() as group:
        assert run(scene(group)) == 10 - 400 // 60


def test_a_defect_of_the_writer_is_told_to_each_and_ends_nothing() -> None:
    def broken(_app_id: int, _items: Sequence[int]) -> list[int]:
        raise ZeroDivisionError

    async def scene(group: Group) -> None:
        with pytest.raises(ZeroDivisionError):
            await group.submit(broken, 1, [1], 1)
        assert await group.submit(Writer().write, 1, ["next"], 1)

    with grouped() as group:
        run(scene(group))


def test_a_request_of_which_some_is_stored_is_not_told_that_nothing_is() -> None:
    def half(_app_id: int, items: Sequence[int]) -> list[Any]:
        return [BusyError() if item % 2 else item for item in items]

    async def scene(group: Group) -> None:
        with pytest.raises(OutcomeUnknownError):
            await group.submit(half, 1, [1, 2], 1)
        with pytest.raises(BusyError):
            await group.submit(half, 1, [1, 3], 1)
        assert await group.submit(half, 1, [2, 4], 1) == [2, 4]

    with grouped() as group:
        run(scene(group))


def _refuse(item: int, _error: Exception) -> str:
    return f"{item} refused"


def _writing(fails: Callable[[Sequence[int]], Exception | None]) -> Callable[..., list[str]]:
    def work(items: Sequence[int]) -> list[str]:
        error = fails(items)
        if error is not None:
            raise error
        return [f"{item} stored" for item in items]

    return work


def test_a_fault_of_the_data_is_found_by_halves_and_fails_only_its_own() -> None:
    tries: list[int] = []

    def fails(items: Sequence[int]) -> Exception | None:
        tries.append(len(items))
        return postgres.InvalidTextRepresentation() if {17, 63} & {*items} else None

    found = write_together(_writing(fails), range(100), _refuse)

    assert [one for one in found if str(one).endswith("refused")] == ["17 refused", "63 refused"]
    assert found[0] == "0 stored"
    assert len(tries) < 30


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (psycopg.OperationalError("server closed the connection"), OutcomeUnknownError),
        (postgres.AdminShutdown(), OutcomeUnknownError),
        (postgres.LockNotAvailable(), BusyError),
    ],
)
def test_what_no_item_is_to_blame_for_is_told_to_all(
    error: Exception, named: type[Exception]
) -> None:
    found = write_together(_writing(lambda _: error), range(10), _refuse)

    assert [type(one) for one in found] == [named] * 10


def test_who_lost_against_another_transaction_tries_again() -> None:
    left = [postgres.DeadlockDetected(), postgres.UniqueViolation()]

    found = write_together(_writing(lambda _: left.pop() if left else None), range(3), _refuse)

    assert found == ["0 stored", "1 stored", "2 stored"]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return run_apart(work)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  Threads set it.
            await asyncio.sleep(0.001)
