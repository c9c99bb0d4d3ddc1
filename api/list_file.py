"""The file that names the people of a static list. Pure."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from api.imports.errors import UnreadableFileError

COLUMN: Final = "external_id"
_NAME_LIMIT = 255


class CsvLines(Protocol):
    """What `csv.reader` returns, which has no name of its own."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that names nobody."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a file, each once in their order, and its bad lines."""

    names: Sequence[str]
    bad: Sequence[BadLine]


def read_names(body: bytes) -> Names:
    """Return the names in the column `external_id` of a CSV file with a header.

    Raises `UnreadableFileError` for what is wrong with the file as a whole.
    """
    try:
        content = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"Byte {error.start} of the file is not UTF-8.") from error
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise UnreadableFileError("The file is empty. Its first line names the columns.")
        if header.count(COLUMN) != 1:
            raise UnreadableFileError(f"The first line must have the column `{COLUMN}` once.")
        return _read_lines(reader, header)
    except csv.Error as error:
        raise UnreadableFileError(f"Line {reader.line_num} is no CSV: {error}.") from error


def _read_lines(reader: "CsvLines", header: Sequence[str]) -> Names:
    place = header.index(COLUMN)
    names: dict[str, None] = {}
    bad: list[BadLine] = []
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            words = f"It has {len(cells)} columns; the header has {len(header)}."
            bad.append(BadLine(reader.line_num, "wrong_columns", words))
        elif not 1 <= len(cells[place]) <= _NAME_LIMIT or "\0" in cells[place]:
            words = f"A name has 1 to {_NAME_LIMIT} characters, and no U+0000."
            bad.append(BadLine(reader.line_num, "invalid_value", words))
        else:
            names[cells[place]] = None
    return Names(list(names), bad)
