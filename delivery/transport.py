"""How requests reach a gateway: the contract of a transport, whatever library carries it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go and as whom: this decides which connections may carry them.

    `origin` is `https://host[:port]`. `binding` names the credential: APNs ties a connection to
    a team, key or certificate, so requests under different bindings never share one. Certificate
    and key are PEM text.
    """

    origin: str
    binding: str
    certificate: str | None = None
    private_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One POST. `path` begins with a slash; header names are lower case.

    `headers` are the same for many requests, `varying` differ between them: a transport may keep
    the first with its peer. Neither holds a line break or the fields that HTTP/2 itself sets.
    """

    endpoint: Endpoint
    path: str
    headers: Fields
    varying: Fields
    body: bytes
    timeout_seconds: float


class LazyHeaders(Mapping[str, str]):
    """Headers that are read when somebody asks for them; what can not be read has none."""

    __slots__ = ("_found", "_read")

    def __init__(self, read: Callable[[], dict[str, str]]) -> None:
        self._read = read
        self._found: dict[str, str] | None = None

    def _fields(self) -> dict[str, str]:
        if self._found is None:
            try:
                self._found = self._read()
            except ValueError:
                self._found = {}
        return self._found

    def __getitem__(self, name: str) -> str:
        """Return the value of a header by its lower-case name."""
        return self._fields()[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._fields())

    def __len__(self) -> int:
        """Count the headers."""
        return len(self._fields())


@dataclass(frozen=True, slots=True)
class Answer:
    """The gateway answered; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NotProcessed:
    """Never written whole, refused, or beyond GOAWAY's last id: safe to send again.

    `fault` is `connect` (no connection), `certificate` (one side does not trust the other's),
    `refused` (by the gateway), `unsent` (never written whole), `too_large` (its headers are
    over the gateway's limit), `unsupported` (the transport's library can not say it) or
    `withdrawn` (as was asked, before anything was written). `debug` is what a gateway said with
    its GOAWAY.
    """

    fault: str
    reason: str
    debug: bytes = b""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Written whole, and no answer came. `debug` is what a gateway said with its GOAWAY."""

    reason: str
    debug: bytes = b""


Result = Answer | NotProcessed | Ambiguous
Done = Callable[[Result], None]


def split_url(url: str) -> tuple[str, str]:
    """Return the origin of an absolute URL, and its path with the query."""
    parts = urlsplit(url)
    path = parts.path or "/"
    return f"{parts.scheme}://{parts.netloc}", f"{path}?{parts.query}" if parts.query else path


class Transport(Protocol):
    """Carries many requests at once on one thread; nothing is re-sent by itself."""

    def submit(self, request: Request, done: Done) -> None:
        """Queue a request; `done` is called exactly once, from within `pump` or `close`."""
        ...

    def pump(self, timeout_seconds: float) -> None:
        """Make progress, waiting at most this long for the network."""
        ...

    def retire(self, endpoint: Endpoint) -> None:
        """Let the connections of an endpoint end as soon as they carry nothing."""
        ...

    def in_flight(self) -> int:
        """Return how many requests have no result yet."""
        ...

    def unwritten(self) -> Collection[Done]:
        """Return the `done` of each request of which, as far as is known, nothing was written."""
        ...

    def withdraw(self, is_meant: Callable[[Done], bool]) -> None:
        """End the requests that are meant and of which nothing was written, as `withdrawn`.

        The result comes as all do; what has begun to leave goes on.
        """
        ...

    def close(self) -> None:
        """Close all connections; what was in flight ends as ambiguous or not processed."""
        ...
