"""Physical lines of a byte stream: numbered, limited in length, and given back when misread."""

import gzip
import sys
import zlib
from collections import deque
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from api.imports.errors import UnreadableFileError

LINE_LIMIT = 1_048_576
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line: its number from 1, the byte behind it, and its bytes.

    `data` is None when the line is longer than the limit.
    """

    number: int
    end: int
    data: bytes | None


def too_long(line: int) -> str:
    """Return the words about a line that is too long."""
    return f"Line {line} is longer than {LINE_LIMIT} bytes."


class Lines:
    """Reads lines with at most one limit of bytes in memory; the line behind `last` is refused."""

    def __init__(
        self, stream: BinaryIO, position: int = 0, number: int = 0, *, last: int = sys.maxsize
    ) -> None:
        self._stream = stream
        # Whoever reads the beginning of a file does not care for the rest of a line.
        self._skips = last == sys.maxsize
        self._last = last
        self._end = position
        self._count = number
        self._given_back: deque[Line] = deque()
        self.position = position
        self.number = number

    def read(self, *, skips: bool = True) -> Line | None:
        """Return the next line, None behind the last.

        Without `skips` the rest of a line that is too long is not read, for those who then stop.
        """
        line = self._given_back.popleft() if self._given_back else self._next(skips=skips)
        if line is not None:
            self.position, self.number = line.end, line.number
        return line

    def give_back(self, lines: Sequence[Line], before: Line) -> None:
        """Put `lines` back, to be read again after `before`."""
        self._given_back.extendleft(reversed(lines))
        self.position, self.number = before.end, before.number

    def _next(self, *, skips: bool) -> Line | None:
        try:
            data = self._stream.readline(LINE_LIMIT + 1)
            if not data:
                return None
            self._end += len(data)
            fits = len(data) <= LINE_LIMIT or data.endswith(b"\n")
            if skips and self._skips and not fits:
                self._skip_rest()
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableFileError(
                f"The gz file is damaged or cut off behind line {self._count}. "
                "Pack it again; what was imported stays."
            ) from error
        self._count += 1
        if self._count > self._last:
            raise UnreadableFileError(f"The first {self._last} lines hold none to import.")
        return Line(self._count, self._end, data if fits else None)

    def _skip_rest(self) -> None:
        data = b"x"
        while data and not data.endswith(b"\n"):
            data = self._stream.readline(LINE_LIMIT)
            self._end += len(data)
