"""Streams that end in an error: when more comes out than they may hold, or when told to."""

import gzip
import io
from collections.abc import Callable
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


class WatchedStream(io.RawIOBase):
    """Reads another stream; `check` is called before each piece, and may raise."""

    def __init__(self, stream: BinaryIO | io.RawIOBase, check: Callable[[], None]) -> None:
        self._stream = cast("io.BufferedIOBase", stream)
        self._check = check

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def seekable(self) -> bool:
        """Tell whether the stream below can jump."""
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Jump to a place; return it."""
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        """Read into `buffer`; return how many bytes came."""
        self._check()
        return self._stream.readinto(buffer)
