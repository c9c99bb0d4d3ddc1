"""Reading ahead: slices are read in a thread of their own while others are written."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from api.imports.errors import UnreadableFileError
from api.imports.importer import Importer
from api.imports.opening import OpenFile
from api.imports.record import LineFault, Record
from core.errors import FieldError, InvalidPayloadError

_T = TypeVar("_T")
_FAULTS_OF_A_LINE = 10
# A slice also ends here, whatever its lines are, so that its progress is stored.
_SLICE_BYTES = 8 << 20
_SLICE_SECONDS = 2.0
_BLANKS_AT_ONCE = 256
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Slice:
    """Some records, checked, and how far the file is read behind them."""

    items: Sequence[tuple[int, Any]]
    faults: dict[int, Sequence[LineFault]]
    position: int
    line: int
    bytes_read: int
    opened: OpenFile


class _AbandonedError(Exception):
    """Nobody waits for what is being read."""


class Watch:
    """Ends the reading in another thread."""

    def __init__(self) -> None:
        self._is_over = threading.Event()

    def end(self) -> None:
        """Let the next look at the file fail."""
        self._is_over.set()

    def check(self) -> None:
        """Raise when nobody waits any more; called by whoever reads."""
        if self._is_over.is_set():
            raise _AbandonedError


def read_ahead(
    pieces: Generator[_T, None, None], watch: Watch, wait: Callable[[], None]
) -> Generator[_T, None, None]:
    """Yield `pieces`, reading the next one while the caller is busy with the present one.

    `wait` is called now and then while nothing is there yet; what it raises ends the reading.
    """
    with contextlib.closing(pieces), ThreadPoolExecutor(1, "import") as pool:
        try:
            pending = pool.submit(next, pieces, None)
            while (piece := _awaited(pending, wait)) is not None:
                pending = pool.submit(next, pieces, None)
                yield piece
        finally:
            watch.end()


def _awaited(pending: Future[_T | None], wait: Callable[[], None]) -> _T | None:
    while not pending.done():
        with contextlib.suppress(TimeoutError):
            return pending.result(_LOOK_SECONDS)
        if not pending.done():
            wait()
    return pending.result()


def slices(opened: OpenFile, importer: Importer, lines: int) -> Iterator[Slice]:
    """Yield the rest of a file in slices of at most so many records.

    Raises `UnreadableFileError` behind what could be read.
    """
    cutter = _Cutter(opened, importer, lines)
    while (piece := cutter.cut()) is not None:
        yield piece
    if cutter.broken is not None:
        raise cutter.broken


class _Cutter:
    """Cuts one slice after the other off a file."""

    def __init__(self, opened: OpenFile, importer: Importer, lines: int) -> None:
        self._opened = opened
        self._steps = opened.reader.steps()
        self._importer = importer
        self._lines = lines
        self.broken: UnreadableFileError | None = None

    def cut(self) -> Slice | None:
        """Return the next slice, None behind the last one."""
        items: list[tuple[int, Any]] = []
        faults: dict[int, Sequence[LineFault]] = {}
        is_full = _fullness(self._opened)
        blanks = 0
        try:
            for record in self._steps:
                if record is None:
                    blanks += 1
                    if blanks % _BLANKS_AT_ONCE:
                        continue
                else:
                    _sort(self._importer, self._opened, record, items, faults)
                if len(items) + len(faults) >= self._lines or is_full():
                    return self._slice(items, faults)
        except UnreadableFileError as error:
            self.broken = error
        return self._slice(items, faults) if items or faults else None

    def _slice(self, items: list[tuple[int, Any]], faults: dict[int, Sequence[LineFault]]) -> Slice:
        reader = self._opened.reader
        return Slice(
            items, faults, reader.position, reader.line, self._opened.bytes_read, self._opened
        )


def _fullness(opened: OpenFile) -> Callable[[], bool]:
    until = time.monotonic() + _SLICE_SECONDS
    end = opened.reader.position + _SLICE_BYTES
    return lambda: opened.reader.position >= end or time.monotonic() >= until


def _sort(
    importer: Importer,
    opened: OpenFile,
    record: Record,
    items: list[tuple[int, Any]],
    faults: dict[int, Sequence[LineFault]],
) -> None:
    if record.payload is None:
        faults[record.line] = record.faults[:_FAULTS_OF_A_LINE]
        return
    try:
        items.append((record.line, importer.check(record.line, record.payload)))
    except InvalidPayloadError as error:
        faults[record.line] = named(opened, error.fields)


def named(opened: OpenFile, fields: Sequence[FieldError]) -> list[LineFault]:
    """Return faults of a payload with the columns they came from."""
    return [
        LineFault(field.pointer, opened.column_of(field.pointer), field.code, field.message)
        for field in fields[:_FAULTS_OF_A_LINE]
    ]
