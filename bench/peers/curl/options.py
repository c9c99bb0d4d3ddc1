"""What is set about all connections of a transport."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`ca_file` replaces the system's trust store; `streams` bounds what one binding holds open."""

    ca_file: Path | None
    connect_timeout_seconds: float = 10.0
    connections: int = 10
    streams: int = 1_000
    # Apple wants connections kept for hours; a peer that closed one is noticed before its reuse.
    idle_seconds: int = 3_600
