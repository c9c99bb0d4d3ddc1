"""The file of an export. It has no name: it is gone when its process is, however that ends."""

import contextlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from api.errors import ExportNotWrittenError, ExportTooLargeError
from core.settings import Settings

_PIECE = 1 << 18
_GZIP = 16 + zlib.MAX_WBITS
# Less than half the time of the best, and an eighth larger.
_PACKING = 6


@dataclass(frozen=True, slots=True)
class Room:
    """Where files of exports lie, how large one may be, and what it leaves free on its disk."""

    folder: Path
    most_bytes: int
    free_bytes: int


def room_of(settings: Settings) -> Room:
    """Return the room that the settings give, beside uploads on their way to be imported."""
    folder = settings.state_dir / "exports"
    return Room(folder, settings.export_max_bytes, settings.export_free_bytes)


class ExportFile:
    """Takes what an export writes, packed with gzip or not, then gives it back in pieces."""

    def __init__(self, file: FileIO, room: Room, *, is_packed: bool) -> None:
        self._file = file
        self._room = room
        self._packer = zlib.compressobj(_PACKING, zlib.DEFLATED, _GZIP) if is_packed else None

    def write(self, data: bytes) -> None:
        """Write on; raises `ExportTooLargeError` or `ExportNotWrittenError`."""
        self._write(self._packer.compress(data) if self._packer else data)

    def end(self) -> int:
        """Go back to the start, to be read; return how many bytes there are."""
        if self._packer:
            self._write(self._packer.flush())
        size = self._file.tell()
        self._file.seek(0)
        return size

    def read(self) -> bytes:
        """Return the next piece, up to 256 KiB; nothing at the end."""
        return self._file.read(_PIECE)

    def _write(self, data: bytes) -> None:
        if self._file.tell() + len(data) > self._room.most_bytes:
            words = f"The limit is {self._room.most_bytes} bytes; packed with gzip, more fits in."
            raise ExportTooLargeError(words)
        with _refused():
            disk = os.fstatvfs(self._file.fileno())
            if disk.f_bavail * disk.f_frsize < self._room.free_bytes + len(data):
                raise ExportNotWrittenError
            left = memoryview(data)
            while left:
                # Where the disk ends, a part is written first.
                left = left[self._file.write(left) :]


@contextlib.contextmanager
def opened(room: Room, *, is_packed: bool) -> Iterator[ExportFile]:
    """Yield an empty file that nobody else can open, and that is gone when the block ends.

    Raises `ExportNotWrittenError` when there can be none.
    """
    with _refused():
        room.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Unbuffered: what a full disk refuses must not be tried again when the file is closed.
        file = tempfile.TemporaryFile(dir=room.folder, buffering=0)  # noqa: SIM115 (just below)
    with file:
        yield ExportFile(file, room, is_packed=is_packed)


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        words = f"The file of the export can not be written: {error.strerror or error}."
        raise ExportNotWrittenError(words) from error
