"""An import as stored: what it reads, how far it is, and who works on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.imports.opening import Place
from api.imports.record import ImportOptions

_NAME_LIMIT = 200


@dataclass(frozen=True, slots=True)
class FileMark:
    """What makes a file the same file: its size and SHA-256; `name` is only shown."""

    name: str
    size: int
    digest: bytes


def shown_name(name: bytes) -> str:
    """Return what is shown of a file's name, whatever bytes it has; may be empty."""
    letters = name.decode("utf-8", "replace")
    return "".join(letter for letter in letters if letter.isprintable())[:_NAME_LIMIT]


@dataclass(frozen=True, slots=True)
class ImportJob:
    """One import. `fence` is the number of its present worker: later ones have higher ones."""

    app_id: int
    id: int
    public_id: str
    kind: str
    state: str
    name: str
    size: int
    options: Mapping[str, Any]
    stored_as: str | None
    position: int
    line: int
    bytes_read: int
    records: int
    created: int
    updated: int
    unchanged: int
    failed: int
    failed_reason: str | None
    fence: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    stalls: int

    @property
    def place(self) -> Place:
        """Where to go on."""
        return Place(self.position, self.line)

    def read_options(self) -> ImportOptions:
        """Return how the file is to be read."""
        return ImportOptions.from_json(self.options)


@dataclass(frozen=True, slots=True)
class Progress:
    """What one slice adds, and how far the file is read behind it."""

    position: int
    line: int
    bytes_read: int
    created: int
    updated: int
    unchanged: int
    failed: int
