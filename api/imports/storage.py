"""Where uploaded files wait for a worker: a folder that API and workers share."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from core.ids import new_public_id
from core.settings import Settings


class Storage(Protocol):
    """Keeps files under keys of its own choosing."""

    def create(self) -> contextlib.AbstractContextManager[tuple[str, BinaryIO]]:
        """Yield a key and a file to write, which is kept when the block ends well."""

    def open(self, key: str) -> BinaryIO:
        """Open a kept file; raises `FileNotFoundError`."""

    def remove(self, key: str) -> None:
        """Remove a file; one that is gone already is no error."""


class LocalFolder:
    """Keeps files in one folder, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def create(self) -> Iterator[tuple[str, BinaryIO]]:
        """Write to a temporary name; the key's own name appears whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = new_public_id("file")
        descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=self._folder)
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


def open_storage(settings: Settings) -> Storage:
    """Return the storage that the settings name."""
    return LocalFolder(settings.state_dir / "imports")
