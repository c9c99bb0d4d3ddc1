"""CSV as records. A line that can not be read costs only itself, broken quotes included."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.imports.errors import UnreadableFileError
from api.imports.filling import CellFiller
from api.imports.lines import BYTE_ORDER_MARK, LINE_LIMIT, Line, Lines, too_long
from api.imports.record import LineFault, Record

DELIMITERS = (",", ";", "\t", "|")
# A quote that nobody closes must not swallow the file.
_SPAN_LINES = 1_000
# How far lines behind an open quote are read, to be read again if it is never closed. A file of
# nothing else would be read a thousand times: all of it together is some times the file.
_AHEAD_BYTES = 16 << 20
_AHEAD_RATIO = 4
COLUMN_LIMIT = 2_000
_BLANK = (b"\n", b"\r\n")


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a file, and how many bytes and lines it takes."""

    columns: tuple[str, ...]
    delimiter: str
    position: int
    line: int


class _BrokenError(Exception):
    """What is wrong with one record, and how many bytes behind it must be read again."""

    def __init__(self, code: str, message: str, reread: int = 0) -> None:
        self.fault = LineFault("", None, code, message)
        self.reread = reread
        super().__init__(message)


class CsvReader:
    """Reads the records behind the header."""

    def __init__(self, lines: Lines, delimiter: str, columns: int, filler: CellFiller) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._columns = columns
        self._filler = filler
        self._begin = lines.position
        self._reread = 0

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
        return (record for record in self.steps() if record is not None)

    def steps(self) -> Iterator[Record | None]:
        """Yield records, and None for each blank line."""
        while (first := self._lines.read()) is not None:
            yield None if first.data in _BLANK else self._read(first)

    def _read(self, first: Line) -> Record | None:
        ahead = _AHEAD_BYTES + _AHEAD_RATIO * (self._lines.position - self._begin) - self._reread
        try:
            cells = _cells(first, self._lines, self._delimiter, ahead)
        except _BrokenError as error:
            self._reread += error.reread
            return Record(first.number, None, (error.fault,))
        if len(cells) == self._columns:
            return self._filler.fill(first.number, cells)
        if not cells:
            return None
        words = f"The header has {self._columns} columns, this line has {len(cells)}."
        return Record(first.number, None, (LineFault("", None, "wrong_columns", words),))


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


def _cells(first: Line, lines: Lines, delimiter: str, ahead: int = LINE_LIMIT) -> Sequence[str]:
    text = _text(first)
    if '"' not in text:
        bare = text.rstrip("\r\n")
        return bare.split(delimiter) if bare else ()
    taken: list[Line] = []
    try:
        source = _following(text, lines, taken, min(ahead, LINE_LIMIT))
        return next(csv.reader(source, delimiter=delimiter, strict=True))
    except (csv.Error, _BrokenError) as error:
        reread = lines.position - first.end
        lines.give_back(taken, first)
        raise _broken(error, reread, is_one_line=not taken) from error


def _broken(error: Exception, reread: int, *, is_one_line: bool) -> _BrokenError:
    limit = csv.field_size_limit()
    if str(limit) not in str(error):
        words = "A quote is not closed, or stands where none may stand."
        return _BrokenError("broken_quotes", words, reread)
    words = f"A cell in quotes is longer than {limit} characters, or its quote is not closed."
    return _BrokenError("too_long" if is_one_line else "broken_quotes", words, reread)


def _following(text: str, lines: Lines, taken: list[Line], ahead: int) -> Iterator[str]:
    yield text
    size = 0
    while len(taken) < _SPAN_LINES and size < ahead and (line := lines.read()):
        taken.append(line)
        size += len(line.data or b"")
        yield _text(line)


def _text(line: Line) -> str:
    if line.data is None:
        raise _BrokenError("too_long", too_long(line.number))
    try:
        text = line.data.decode("utf-8")
    except UnicodeDecodeError as error:
        words = f"Byte {error.start + 1} of the line is not UTF-8."
        raise _BrokenError("not_utf8", words) from error
    if "\0" in text:
        raise _BrokenError("nul_character", "A text must not hold the character U+0000.")
    return text
