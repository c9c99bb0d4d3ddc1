"""What is set about all connections of a transport."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Each endpoint has at most `connections`, each with at most `streams` requests open.

    `ca_file` replaces the system's trust store; `proxy_url` is an HTTP proxy that knows CONNECT.
    Apple wants connections kept for hours: `idle_seconds` is when an unused one is closed.
    """

    ca_file: Path | None = None
    proxy_url: str | None = None
    connect_timeout_seconds: float = 10.0
    connections: int = 32
    streams: int = 1_000
    idle_seconds: float = 3_600.0
    first_stream_id: int = 1
