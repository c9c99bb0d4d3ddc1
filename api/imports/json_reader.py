"""JSONL as records: one JSON object a line."""

from collections.abc import Iterator

from api.errors import MalformedJsonError
from api.imports.filling import fill_object
from api.imports.lines import BYTE_ORDER_MARK, Line, Lines, too_long
from api.imports.mapping import ColumnMap
from api.imports.record import LineFault, Record
from api.json_body import parse_json
from core.errors import InvalidPayloadError

_NEWLINE = b"\r\n"


class JsonReader:
    """Reads one object after the other."""

    def __init__(self, lines: Lines, columns: ColumnMap) -> None:
        self._lines = lines
        self._columns = columns

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
        while (line := self._lines.read()) is not None:
            is_blank = line.data is not None and not line.data.strip()
            yield None if is_blank else self._read(line)

    def _read(self, line: Line) -> Record:
        if line.data is None:
            return _bad(line, "too_long", too_long(line.number))
        try:
            # An object that is cut off ends in its own line, not at the beginning of the next.
            text = line.data.removeprefix(BYTE_ORDER_MARK).rstrip(_NEWLINE)
            found = parse_json(text, is_unique=True)
        except MalformedJsonError as error:
            if isinstance(error.__cause__, UnicodeDecodeError):
                place = error.__cause__.start + 1
                return _bad(line, "not_utf8", f"Byte {place} of the line is not UTF-8.")
            words = error.detail.replace("The body", "The line").replace(" at line 1,", " at")
            return _bad(line, "malformed_json", words)
        except InvalidPayloadError as error:
            faults = [
                LineFault(fault.pointer, None, fault.code, fault.message) for fault in error.fields
            ]
            return Record(line.number, None, tuple(faults))
        if not isinstance(found, dict):
            return _bad(line, "wrong_type", "A line must hold one JSON object.")
        return fill_object(line.number, found, self._columns)


def _bad(line: Line, code: str, message: str) -> Record:
    return Record(line.number, None, (LineFault("", None, code, message),))
