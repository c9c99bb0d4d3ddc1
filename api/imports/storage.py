"""Where uploaded files wait for a worker: a folder that API and workers share."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from core.ids import new_public_id
from core.settings import Settings

_KEPT = "file"
_INCOMING = ".incoming-"


class Storage(Protocol):
    """Keeps files under keys of its own choosing."""

    def create(self) -> contextlib.AbstractContextManager[tuple[str, BinaryIO]]:
        """Yield a key and a file to write, which is kept when the block ends well."""

    def open(self, key: str) -> BinaryIO:
        """Open a kept file; raises `FileNotFoundError`."""

    def remove(self, key: str) -> None:
        """Remove a file; one that is gone already is no error."""

    def untouched(self, seconds: float) -> list[str]:
        """Return the keys of what was last written so long ago, half-received files included."""


class LocalFolder:
    """Keeps files in one folder, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def create(self) -> Iterator[tuple[str, BinaryIO]]:
        """Write to a temporary name; the key's own name appears whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = new_public_id(_KEPT)
        descriptor, name = tempfile.mkstemp(prefix=_INCOMING, dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield key, file
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._folder / key)
        finally:
            Path(name).unlink(missing_ok=True)

    def open(self, key: str) -> BinaryIO:
        """Open a kept file."""
        return (self._folder / key).open("rb")

    def remove(self, key: str) -> None:
        """Remove a file."""
        (self._folder / key).unlink(missing_ok=True)

    def untouched(self, seconds: float) -> list[str]:
        """Return the names of such files; what others put into the folder is left alone."""
        until = time.time() - seconds
        return [name for name, written in self._ours() if written < until]

    def _ours(self) -> Iterator[tuple[str, float]]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith((f"{_KEPT}_", _INCOMING)):
                    # Another worker may have removed it meanwhile.
                    with contextlib.suppress(FileNotFoundError):
                        yield entry.name, entry.stat().st_mtime


def open_storage(settings: Settings) -> Storage:
    """Return the storage that the settings name."""
    return LocalFolder(settings.state_dir / "imports")
