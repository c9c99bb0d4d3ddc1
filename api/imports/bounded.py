"""A stream that ends in an error when more comes out of it than it may hold."""

import gzip
import io
from typing import Any, BinaryIO, cast

from api.imports.errors import UnreadableFileError


class BoundedStream(io.RawIOBase):
    """Reads another stream; beyond `limit` bytes it raises `UnreadableFileError` with `words`."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, limit: int, words: str) -> None:
        self._stream = cast("io.BufferedIOBase", stream)
        self._left = limit
        self._words = words

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read into `buffer`; return how many bytes came."""
        size = self._stream.readinto(buffer)
        self._left -= size
        if self._left < 0:
            raise UnreadableFileError(self._words)
        return size
