"""How a finished export leaves: in pieces that wait for the reader, and not for ever."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from starlette.requests import ClientDisconnect
from starlette.types import Message

from api.export_file import Room, opened
from api.export_sending import Leaving, noticing, send_file

_SIZE = 3_000_000


class _Reader:
    """Takes some pieces, then no more."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self.taken: list[Message] = []

    async def send(self, message: Message) -> None:
        if len(self.taken) == self._takes:
            await asyncio.Event().wait()
        self.taken.append(message)

    @property
    def sizes(self) -> list[int]:
        return [len(message["body"]) for message in self.taken]


async def _sent(folder: Path, reader: _Reader, left: Leaving, *, seconds: float = 60) -> None:
    with opened(Room(folder, _SIZE, 0), is_packed=False) as file:
        file.write(bytes(_SIZE))
        await send_file(file, file.end(), reader.send, left, seconds)


def test_it_is_sent_in_small_pieces_of_which_one_is_the_last(tmp_path: Path) -> None:
    reader = _Reader(100)
    asyncio.run(_sent(tmp_path, reader, Leaving()))

    assert (sum(reader.sizes), max(reader.sizes)) == (_SIZE, 1 << 18)
    assert [message["more_body"] for message in reader.taken] == [True] * 11 + [False]


def test_a_reader_who_stops_is_cut_off(tmp_path: Path) -> None:
    reader = _Reader(4)
    asyncio.run(_sent(tmp_path, reader, Leaving(), seconds=0.2))

    assert sum(reader.sizes) == 4 << 18
    assert reader.taken[-1]["more_body"]


def test_to_whom_has_hung_up_no_more_is_sent(tmp_path: Path) -> None:
    reader, left = _Reader(100), Leaving()
    left.set()
    asyncio.run(_sent(tmp_path, reader, left))

    assert reader.taken == []


def test_it_is_noticed_that_the_client_hangs_up() -> None:
    async def heard(*kinds: str) -> bool:
        messages = asyncio.Queue[Message]()
        for kind in kinds:
            messages.put_nowait({"type": kind})
        async with noticing(messages.get) as left:
            # A thread notes it, so that it may wait for the database.
            for _ in range(5_000 if "http.disconnect" in kinds else 50):
                if left.is_set():
                    return True
                await asyncio.sleep(0.001)
            return False

    assert asyncio.run(heard("http.request", "http.disconnect"))
    assert not asyncio.run(heard("http.request"))


def _ask_slowly(engine: Engine, left: Leaving, started: threading.Event) -> None:
    with engine.begin() as connection, left.cancelling(connection):
        started.set()
        connection.execute(text("SELECT pg_sleep(60)"))


def test_the_statement_of_whom_has_hung_up_is_cancelled(engine: Engine) -> None:
    left, started = Leaving(), threading.Event()

    def leave() -> None:
        started.wait(10)
        left.set()

    thread = threading.Thread(target=leave)
    thread.start()
    before = time.monotonic()
    with pytest.raises(ClientDisconnect):
        _ask_slowly(engine, left, started)
    thread.join(10)

    assert time.monotonic() - before < 30
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_whoever_has_hung_up_before_has_no_statement_begun(engine: Engine) -> None:
    left = Leaving()
    left.set()
    begun: list[str] = []

    with engine.begin() as connection:
        with pytest.raises(ClientDisconnect), left.cancelling(connection):
            begun.append("a statement")
        assert connection.scalar(text("SELECT 1")) == 1

    assert begun == []


def test_whoever_stays_has_nothing_cancelled(engine: Engine) -> None:
    left = Leaving()
    with engine.begin() as connection:
        with left.cancelling(connection):
            connection.execute(text("SELECT 1"))
        left.set()
        assert connection.scalar(text("SELECT 2")) == 2
