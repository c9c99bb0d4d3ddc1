"""How requests reach a gateway: the contract of a transport, whatever library carries it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """Which connections may carry a request.

    `binding` names the credential: APNs ties a connection to a team, key or certificate, so
    requests under different bindings never share one. Certificate and key are PEM text.
    """

    binding: str
    certificate: str | None = None
    private_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One POST. `url` is absolute; header names are lower case."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    identity: Identity
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The gateway answered; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NotProcessed:
    """Never written whole, refused, or beyond GOAWAY's last id: safe to send again.

    `fault` is `connect`, `certificate` (the server's is not trusted) or `refused`.
    """

    fault: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Written whole, and no answer came."""

    reason: str


Result = Answer | NotProcessed | Ambiguous
Done = Callable[[Result], None]


class Transport(Protocol):
    """Carries many requests at once on one thread; nothing is re-sent by itself."""

    def submit(self, request: Request, done: Done) -> None:
        """Queue a request; `done` is called exactly once, from within `pump` or `close`."""
        ...

    def pump(self, timeout_seconds: float) -> None:
        """Make progress, waiting at most this long for the network."""
        ...

    def in_flight(self) -> int:
        """Return how many requests have no result yet."""
        ...

    def close(self) -> None:
        """Close all connections; what was in flight ends as ambiguous or not processed."""
        ...
