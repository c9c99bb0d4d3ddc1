"""CSV as records. A line that can not be read costs only itself, broken quotes included."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.imports.errors import UnreadableFileError
from api.imports.filling import CellFiller
from api.imports.lines import BYTE_ORDER_MARK, LINE_LIMIT, Line, Lines
from api.imports.record import LineFault, Record

DELIMITERS = (",", ";", "\t", "|")
# A quote that nobody closes must not swallow the file.
_SPAN_LINES = 1_000
COLUMN_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a file, and how many bytes and lines it takes."""

    columns: tuple[str, ...]
    delimiter: str
    position: int
    line: int


class _BrokenError(Exception):
    """What is wrong with one record."""

    def __init__(self, code: str, message: str) -> None:
        self.fault = LineFault("", None, code, message)
        super().__init__(message)


class CsvReader:
    """Reads the records behind the header."""

    def __init__(self, lines: Lines, delimiter: str, columns: int, filler: CellFiller) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._columns = columns
        self._filler = filler

    @property
    def position(self) -> int:
        """The byte behind the last record."""
        return self._lines.position

    @property
    def line(self) -> int:
        """How many lines end before `position`."""
        return self._lines.number

    def __iter__(self) -> Iterator[Record]:
        """Yield records; blank lines are none."""
        while (first := self._lines.read()) is not None:
            try:
                cells = _cells(first, self._lines, self._delimiter)
            except _BrokenError as error:
                yield Record(first.number, None, (error.fault,))
                continue
            if len(cells) == self._columns:
                yield self._filler.fill(first.number, cells)
            elif cells:
                words = f"The header has {self._columns} columns, this line has {len(cells)}."
                fault = LineFault("", None, "wrong_columns", words)
                yield Record(first.number, None, (fault,))


def read_header(lines: Lines, delimiter: str | None) -> Header:
    """Read the header; raise `UnreadableFileError`. The delimiter is found when none is given."""
    first = lines.read(skips=False)
    while first is not None and first.data is not None and not first.data.strip():
        first = lines.read(skips=False)
    if first is None:
        raise UnreadableFileError("The file is empty.")
    text = (first.data or b"").removeprefix(BYTE_ORDER_MARK)
    _check_text(text)
    start = first._replace(data=text)
    try:
        chosen = delimiter or _sniff(_text(start))
        columns = [name.strip() for name in _cells(start, lines, chosen)]
    except _BrokenError as error:
        raise UnreadableFileError(f"The header can not be read. {error}") from error
    _check_names(columns)
    return Header(tuple(columns), chosen, lines.position, lines.number)


def _check_text(header: bytes) -> None:
    if header.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFileError(
            "The file is UTF-16, not UTF-8. Convert it, as in: iconv -f utf-16 -t utf-8."
        )
    if b"\0" in header or not header:
        raise UnreadableFileError("This is not a text file: give CSV or JSONL, or either in gz.")
    try:
        header.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            f"Byte {error.start + 1} of the header is not UTF-8. If the file is text, convert it, "
            "as in: iconv -f latin1 -t utf-8."
        ) from error
    if b"\r" in header.rstrip(b"\r\n"):
        raise UnreadableFileError("Lines end in CR alone. Save the file with LF or CRLF.")


def _check_names(columns: Sequence[str]) -> None:
    if len(columns) > COLUMN_LIMIT:
        raise UnreadableFileError(
            f"The header has {len(columns)} columns, the limit is {COLUMN_LIMIT}."
        )
    if "" in columns:
        raise UnreadableFileError(f"Column {columns.index('') + 1} has no name in the header.")
    twice = sorted(name for name, count in Counter(columns).items() if count > 1)
    if twice:
        raise UnreadableFileError(f"The header has {', '.join(twice)} more than once.")


def _sniff(header: str) -> str:
    # What stands in quotes is a name, not structure.
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _cells(first: Line, lines: Lines, delimiter: str) -> Sequence[str]:
    text = _text(first)
    if '"' not in text:
        bare = text.rstrip("\r\n")
        return bare.split(delimiter) if bare else ()
    taken: list[Line] = []
    try:
        return next(csv.reader(_following(text, lines, taken), delimiter=delimiter, strict=True))
    except (csv.Error, _BrokenError) as error:
        lines.give_back(taken, first)
        words = "A quote is not closed, or stands where none may stand."
        raise _BrokenError("broken_quotes", words) from error


def _following(text: str, lines: Lines, taken: list[Line]) -> Iterator[str]:
    yield text
    size = 0
    while len(taken) < _SPAN_LINES and size < LINE_LIMIT and (line := lines.read()):
        taken.append(line)
        size += len(line.data or b"")
        yield _text(line)


def _text(line: Line) -> str:
    if line.data is None:
        raise _BrokenError("too_long", f"A line may have {LINE_LIMIT} bytes.")
    try:
        text = line.data.decode("utf-8")
    except UnicodeDecodeError as error:
        words = f"Byte {error.start + 1} of the line is not UTF-8."
        raise _BrokenError("not_utf8", words) from error
    if "\0" in text:
        raise _BrokenError("nul_character", "A text must not hold the character U+0000.")
    return text
