"""What the fault server saw: the judge of every sender."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from hashlib import blake2b


@dataclass(slots=True)
class ConnectionEntry:
    """One TCP connection; times are seconds of the monotonic clock.

    `pings` are those of the client, `pongs` its answers to ours. `violations` is what the client
    did against HTTP/2, in words; an honest client has none.
    """

    number: int
    opened_at: float
    shaken_at: float | None = None
    tls: str = ""
    alpn: str | None = None
    fault: str = ""
    settings: list[dict[int, int]] = field(default_factory=list)
    acknowledged: int = 0
    pings: list[float] = field(default_factory=list)
    pongs: int = 0
    goaways: list[tuple[int, int, bytes]] = field(default_factory=list)
    requests: int = 0
    peak: int = 0
    violations: list[str] = field(default_factory=list)
    closed_at: float | None = None
    closed_by: str = ""

    def shaken(self, tls: str, alpn: str | None) -> None:
        """Note a handshake that succeeded."""
        self.shaken_at, self.tls, self.alpn = time.monotonic(), tls, alpn


@dataclass(slots=True)
class RequestEntry:
    """One stream. `arrived_at` is None until the whole request was read.

    `token` is the device token of a request to APNs, the target of one to FCM.
    `processed` says that the server has taken it: it counts as a push, answered or not. What was
    refused, by a status too, does not.
    `answer` is a status, `reset 7` with the error code, `beyond 5` with GOAWAY's last id, or "".
    """

    connection: int
    stream: int
    path: str
    token: str
    headers: dict[str, str]
    began_at: float
    body: bytes = b""
    body_hash: str = ""
    arrived_at: float | None = None
    processed: bool = False
    answer: str = ""
    answered_at: float | None = None
    cancelled: int | None = None
    before_settings: bool = False

    @property
    def apns_id(self) -> str:
        """The apns-id that the sender gave."""
        return self.headers.get("apns-id", "")


class Record:
    """Everything a server saw; with `keep` off, only counters and 8 bytes per processed push."""

    def __init__(self, *, keep: bool = True) -> None:
        self.keep = keep
        self.connections: list[ConnectionEntry] = []
        self.requests: list[RequestEntry] = []
        self.token_calls = 0
        self.began = 0
        self.processed = 0
        self.open = 0
        self.peak = 0
        self.answers: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.pushes: Counter[int] = Counter()
        self._opened: deque[float] = deque()

    def connect(self) -> ConnectionEntry:
        """Note a connection that was accepted, before its handshake."""
        entry = ConnectionEntry(len(self.connections), time.monotonic())
        self.connections.append(entry)
        self._opened.append(entry.opened_at)
        return entry

    def begin(self, entry: RequestEntry) -> None:
        """Note a request whose headers were read."""
        self.began += 1
        self.open += 1
        self.peak = max(self.peak, self.open)
        if self.keep:
            self.requests.append(entry)

    def arrive(self, entry: RequestEntry, body: bytes) -> None:
        """Note a request that was read whole."""
        entry.arrived_at = time.monotonic()
        entry.body_hash = blake2b(body, digest_size=8).hexdigest()
        if self.keep:
            entry.body = body

    def process(self, entry: RequestEntry) -> None:
        """Count a request as a push; the second one of a token and body is a duplicate."""
        if not entry.processed:
            entry.processed = True
            self.processed += 1
            self.pushes[push_key(entry.path, entry.body_hash)] += 1

    def disown(self, entry: RequestEntry) -> None:
        """Take a request back that was counted: it was refused, or beyond GOAWAY's last id."""
        if entry.processed:
            entry.processed = False
            self.processed -= 1
            self.pushes[push_key(entry.path, entry.body_hash)] -= 1

    def answer(self, entry: RequestEntry, what: str) -> None:
        """Note the end of a request: what was said to it."""
        if not entry.answer:
            entry.answer = what
            entry.answered_at = time.monotonic()
            self.answers[what] += 1

    def leave(self) -> None:
        """Note that a stream is no longer open."""
        self.open -= 1

    @property
    def duplicates(self) -> int:
        """How many pushes were processed more than once, by token and body."""
        return sum(max(0, count - 1) for count in self.pushes.values())

    def processed_times(self, path: str, body: bytes) -> int:
        """Return how often a push was processed."""
        return self.pushes[push_key(path, blake2b(body, digest_size=8).hexdigest())]

    def connections_within(self, seconds: float = 60.0) -> int:
        """Return how many connections were opened in the last seconds."""
        since = time.monotonic() - seconds
        return sum(1 for moment in self._opened if moment >= since)

    def violations(self) -> list[str]:
        """Return what clients did against HTTP/2."""
        return [words for entry in self.connections for words in entry.violations]

    def of(self, token: str) -> list[RequestEntry]:
        """Return the requests to a token, in order of their arrival."""
        return [entry for entry in self.requests if entry.token == token]


def push_key(path: str, body_hash: str) -> int:
    """Return the name of a push in 8 bytes."""
    return int.from_bytes(blake2b(f"{path}\0{body_hash}".encode(), digest_size=8).digest(), "big")
