"""What every importer does: it checks the records of a file, and writes them as sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from core.errors import FieldError

Faults = Mapping[int, Sequence[FieldError]]


@dataclass(frozen=True, slots=True)
class Written:
    """How many lines of a slice had which fate, and what is wrong with the others."""

    created: int
    updated: int
    unchanged: int
    faults: Faults


class Importer(Protocol):
    """Checks payloads one by one, and writes them together."""

    def check(self, line: int, payload: Mapping[str, Any], /) -> Any:
        """Return the item of a line; raise `InvalidPayloadError` with pointers."""

    def prepare(self, database: Engine, app_id: int, items: Sequence[tuple[int, Any]], /) -> None:
        """Make, in transactions of its own, what items need that others must not wait for."""

    def write(
        self, connection: Connection, app_id: int, items: Sequence[tuple[int, Any]]
    ) -> Written:
        """Write items with their line numbers, in their order."""
