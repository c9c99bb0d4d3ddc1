"""From a file to its reader: unpacked if it is gz, its format found, its header understood."""

import contextlib
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from api.imports.bounded import BoundedStream, WatchedStream
from api.imports.csv_reader import CsvReader, read_header
from api.imports.errors import InvalidMappingError, UnreadableFileError
from api.imports.filling import CellFiller, column_of
from api.imports.json_reader import JsonReader
from api.imports.lines import BYTE_ORDER_MARK, Lines
from api.imports.mapping import ColumnMap, Target, map_columns
from api.imports.record import Format, ImportOptions, Reader

_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 16
# A header and a line of the greatest size fit in.
HEAD_LIMIT = 4 << 20
# Blank lines cost time, not bytes.
HEAD_LINES = 50_000
# Tables seldom pack to less than a twentieth; a small file that becomes a huge one is an attack.
_UNPACKED_RATIO = 100
_UNPACKED_FLOOR = 100_000_000
_UNPACKED_CEILING = 10_000_000_000
Columns = tuple[tuple[str, Target | None], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go on: the byte of the unpacked file, and how many lines end before it."""

    position: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class _Source:
    """A file, and the stream of what is packed in it."""

    file: BinaryIO
    raw: io.RawIOBase
    is_packed: bool


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A reader, the columns by which its faults are named, and the file below."""

    reader: Reader
    columns: Columns
    file: BinaryIO
    is_packed: bool

    @property
    def bytes_read(self) -> int:
        """How much of the file as it came is read."""
        return self.file.tell() if self.is_packed else self.reader.position

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def column_of(self, pointer: str) -> str | None:
        """Return the column a value came from, if there are columns."""
        return column_of(pointer, self.columns)


def check_delimiter(text: str | None) -> str | None:
    """Return the delimiter that a caller names; raise `InvalidMappingError`."""
    chosen = "\t" if text in {"tab", "\\t"} else text
    if chosen is not None and (len(chosen) != 1 or chosen in '"\r\n\0' or not chosen.isascii()):
        raise InvalidMappingError("The delimiter must be one character such as ; or the word tab.")
    return chosen


def fingerprint(file: BinaryIO) -> tuple[int, bytes]:
    """Return size and SHA-256 of a whole file; a change anywhere makes it another file."""
    file.seek(0)
    digest = hashlib.file_digest(cast("io.BufferedReader", file), "sha256").digest()
    size = file.tell()
    file.seek(0)
    return size, digest


def open_reader(
    file: BinaryIO,
    options: ImportOptions,
    place: Place | None = None,
    check: Callable[[], None] = lambda: None,
) -> OpenFile:
    """Return the reader of `file` from `place` on; it is closed with what is returned.

    `check` is called again and again while reading, and may raise to end it. Raises
    `UnreadableFileError` and `InvalidMappingError` for what is wrong with the whole file.
    """
    try:
        is_packed = _is_packed(file)
        raw = WatchedStream(_whole(file, is_packed=is_packed), check)
        return _open(_Source(file, raw, is_packed), options, place or Place())
    except BaseException:
        file.close()
        raise


def unpacked_limit(packed: int) -> int:
    """Return how many bytes may come out of a gz file of `packed` bytes."""
    return min(max(packed * _UNPACKED_RATIO, _UNPACKED_FLOOR), _UNPACKED_CEILING)


def _is_packed(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(len(_GZIP)) == _GZIP


def _open(
    source: _Source, options: ImportOptions, start: Place, last: int = sys.maxsize
) -> OpenFile:
    columns = map_columns(options)
    # Lines are read by the million: the buffer must be the one that is written in C.
    stream: io.BufferedReader = io.BufferedReader(source.raw, _BUFFER)
    chosen = options.format or _sniff(stream)
    if chosen == "jsonl":
        _skip_to(stream, start.position, 0)
        lines = Lines(stream, start.position, start.line, last=last)
        reader: Reader = JsonReader(lines, columns)
        named: Columns = ()
    else:
        reader, named = _open_csv(Lines(stream, last=last), stream, options, columns, start)
    return OpenFile(reader, named, source.file, source.is_packed)


def _whole(file: BinaryIO, *, is_packed: bool) -> io.RawIOBase:
    limit = unpacked_limit(file.seek(0, io.SEEK_END))
    file.seek(0)
    if not is_packed:
        return cast("io.RawIOBase", file)
    words = f"The gz file unpacks to more than {limit} bytes. Import it unpacked, or in parts."
    return BoundedStream(gzip.GzipFile(fileobj=file), limit, words)


def _head(file: BinaryIO, *, is_packed: bool) -> io.RawIOBase:
    file.seek(0)
    words = f"The first {HEAD_LIMIT} bytes of the file hold no line to import."
    if not is_packed:
        return BoundedStream(file, HEAD_LIMIT, words)
    # What is packed needs a limit, too: gz may hold any number of bytes that unpack to none.
    front = io.BufferedReader(BoundedStream(file, HEAD_LIMIT, words), _BUFFER)
    return BoundedStream(gzip.GzipFile(fileobj=front), HEAD_LIMIT, words)


def check_file(file: BinaryIO, options: ImportOptions) -> None:
    """Raise when nothing of `file` can be imported; closes it. Reads only its beginning."""
    with contextlib.closing(file):
        is_packed = _is_packed(file)
        source = _Source(file, _head(file, is_packed=is_packed), is_packed)
        opened = _open(source, options, Place(), HEAD_LINES)
        is_empty = next(iter(opened.reader), None) is None
    if is_empty:
        raise UnreadableFileError("The file has no line to import.")


def check_path(path: Path, options: ImportOptions) -> None:
    """Raise `UnreadableFileError` when nothing of the file at `path` can be imported."""
    if not path.exists():
        raise UnreadableFileError(f"There is no file {path}.")
    if not path.is_file():
        raise UnreadableFileError(f"{path} is not a file.")
    try:
        file = path.open("rb")
    except PermissionError as error:
        raise UnreadableFileError(f"{path} may not be read.") from error
    check_file(file, options)


def _open_csv(
    lines: Lines,
    stream: io.BufferedReader,
    options: ImportOptions,
    columns: ColumnMap,
    start: Place,
) -> tuple[Reader, Columns]:
    header = read_header(lines, options.delimiter)
    targets = columns.targets(header.columns)
    if start.position > header.position:
        _skip_to(stream, start.position, header.position)
        lines = Lines(stream, start.position, start.line)
    filler = CellFiller(header.columns, targets, clears=options.empty == "clear")
    reader = CsvReader(lines, header.delimiter, len(header.columns), filler)
    return reader, tuple(zip(header.columns, targets, strict=True))


def _sniff(stream: io.BufferedReader) -> Format:
    try:
        start = stream.peek(_BUFFER).removeprefix(BYTE_ORDER_MARK).lstrip()
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableFileError("The gz file is damaged.") from error
    if not start:
        raise UnreadableFileError("The file is empty.")
    if start.startswith(b"["):
        raise UnreadableFileError("This is one JSON list: write one object a line (JSONL).")
    return "jsonl" if start.startswith(b"{") else "csv"


def _skip_to(stream: io.BufferedReader, position: int, present: int) -> None:
    if stream.seekable():
        stream.seek(position)
        return
    size = position - present
    while size:
        size -= len(stream.read(min(size, _BUFFER))) or size
