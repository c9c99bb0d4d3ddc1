"""What all servers of a benchmark offer, whatever answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Counted:
    """What a server got since it was last told to start counting: answered with 200, by token."""

    answered: int
    distinct: int


class Server(Protocol):
    """A TLS server for pushes; `url` is its origin, `ca` the authority it is to be trusted by."""

    @property
    def name(self) -> str:
        """What it is, with its version."""
        ...

    @property
    def url(self) -> str:
        """Its origin."""
        ...

    @property
    def ca(self) -> Path:
        """The authority that made its certificate."""
        ...

    def restart_count(self) -> None:
        """Begin to count anew."""
        ...

    def count(self, expected: int) -> Counted:
        """Return what it got; it may take a moment until `expected` answers are written down."""
        ...
