"""h2 as the server of one connection in memory, which checks our frames and keeps a record."""

from dataclasses import dataclass, field
from struct import pack

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes

from bench.faults import raw

REFUSED = 7
# What an answer may consist of after its headers.
LARGEST_PIECE = 16_000


@dataclass(slots=True)
class Entry:
    """What the server knows of one stream, and what it has said about it."""

    name: str
    body: bytes = b""
    whole: bool = False
    headers: list[tuple[str, str]] = field(default_factory=list)
    answered: bytes | None = None
    reset: int | None = None
    cancelled: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing can be said any more."""
        return self.answered is not None or self.reset is not None or self.cancelled


class Peer:
    """A server; `entries` are by stream, `last` is what its GOAWAYs left."""

    def __init__(self, settings: dict[int, int] | None = None) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.http = h2.connection.H2Connection(config)
        self.http.local_settings.update(settings or {})
        self.entries: dict[int, Entry] = {}
        self.last = raw.LAST_STREAM
        self._out = bytearray()
        self._unread = 0
        self._rest = b""
        self._preface = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        # h2 takes one acknowledgment for all it has announced, so it announces one at a time.
        self.may_set = False
        self.http.initiate_connection()

    def take(self, data: bytes) -> None:
        """Read what the client wrote; h2 raises when it breaks the protocol."""
        self._rest += data
        # Frame by frame, for h2 looks only once per call at how large a frame may be.
        while len(self._rest) >= self._next_bytes():
            size = self._next_bytes()
            for event in self.http.receive_data(self._rest[:size]):
                self._note(event)
            self._rest = self._rest[size:]
            self._preface = 0

    def _next_bytes(self) -> int:
        return self._preface or 9 + int.from_bytes(self._rest[:3].ljust(3, b"\xff"))

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            fields = {str(name): str(value) for name, value in event.headers}
            self.entries[event.stream_id] = Entry(fields[":path"][1:])
        elif isinstance(event, h2.events.DataReceived):
            self.entries[event.stream_id].body += event.data
            self._unread += event.flow_controlled_length
        elif isinstance(event, h2.events.StreamEnded):
            self.entries[event.stream_id].whole = True
        elif isinstance(event, h2.events.StreamReset):
            self.entries[event.stream_id].cancelled = True
        elif isinstance(event, h2.events.SettingsAcknowledged):
            self.may_set = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            assert event.error_code == 0, event

    def say(self) -> bytes:
        """Return what the client has to read next."""
        self.raw(b"")
        said = bytes(self._out)
        self._out.clear()
        return said

    def raw(self, data: bytes) -> None:
        """Say bytes that h2 would not, between its frames."""
        self._out += self.http.data_to_send() + data

    def open(self) -> list[int]:
        """Return the streams that may still be answered or reset."""
        return [n for n, entry in self.entries.items() if not entry.over and n <= self.last]

    def inform(self, stream: int) -> None:
        """Send a response of 1xx."""
        self.http.send_headers(stream, [(":status", "103"), ("link", "</x>")])

    def begin(self, stream: int, status: int, more: int = 0, *, ends: bool = False) -> None:
        """Send the headers of an answer."""
        entry = self.entries[stream]
        entry.headers = [(":status", str(status)), ("x-name", entry.name), ("x-more", "m" * more)]
        self.http.send_headers(stream, entry.headers, end_stream=ends)

    def answer(
        self, stream: int, status: int, body: bytes = b"", *, more: int = 0, pad: int | None = None
    ) -> None:
        """Answer with headers of `more` bytes, the body in pieces of that size; odd: trailers."""
        entry = self.entries[stream]
        entry.answered = body
        ends = not entry.headers and not body and not more % 2
        if not entry.headers:
            self.begin(stream, status, more, ends=ends)
        for at in range(0, len(body), max(1, min(LARGEST_PIECE, more))):
            piece = body[at : at + max(1, min(LARGEST_PIECE, more))]
            self.http.send_data(stream, piece, pad_length=pad)
        if more % 2:
            self.http.send_headers(stream, [("x-last", "1")], end_stream=True)
        elif not ends:
            self.http.end_stream(stream)

    def reset(self, stream: int, code: int) -> None:
        """Reset a stream."""
        self.entries[stream].reset = code
        self.http.reset_stream(stream, code)

    def goaway(self, last: int, debug: bytes) -> None:
        """Name the last stream; h2 goes on with those up to it."""
        self.last = min(self.last, last)
        self.raw(raw.goaway(last, 0, debug))

    def set(self, changes: dict[int, int]) -> None:
        """Change settings; only when the last ones were acknowledged."""
        self.may_set = False
        self.http.update_settings(changes)

    def give(self, size: int, stream: int | None = None) -> None:
        """Open a window."""
        self.http.increment_flow_control_window(size, stream)

    def give_back(self) -> None:
        """Give the connection's window back for all that was read."""
        if self._unread:
            self.give(self._unread)
            self._unread = 0

    def says_no(self, stream: int) -> bool:
        """Tell whether the server has said that it did not process a stream, and nothing else."""
        status = dict(self.entries[stream].headers).get(":status", "")
        return not status.startswith("2") and self._refused(stream)

    def _refused(self, stream: int) -> bool:
        return stream > self.last or self.entries[stream].reset == REFUSED


def settings_frame(*pairs: tuple[int, int]) -> bytes:
    """Return a SETTINGS frame, valid or not."""
    return raw.frame(raw.SETTINGS, 0, 0, b"".join(pack(">HI", *pair) for pair in pairs))


LIMIT = int(SettingCodes.MAX_CONCURRENT_STREAMS)
TABLE = int(SettingCodes.HEADER_TABLE_SIZE)
WINDOW = int(SettingCodes.INITIAL_WINDOW_SIZE)
FRAME = int(SettingCodes.MAX_FRAME_SIZE)
LIST = int(SettingCodes.MAX_HEADER_LIST_SIZE)
