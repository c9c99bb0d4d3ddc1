"""What is set about all connections of a transport."""

from dataclasses import dataclass, field

from delivery.tls.dial import Route


@dataclass(frozen=True, slots=True)
class Options:
    """Each endpoint has at most `connections`, each with at most `streams` requests open.

    Apple wants connections kept for hours: `idle_seconds` is when an unused one is closed.
    """

    route: Route = field(default_factory=Route)
    connections: int = 32
    streams: int = 1_000
    idle_seconds: float = 3_600.0
    first_stream_id: int = 1
