"""One stream as a script sees it, and every way to answer it well or badly."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

import h2.connection
import h2.errors
import h2.exceptions
import orjson

from bench.faults import raw
from bench.faults.line import Line
from bench.faults.loop import Loop
from bench.faults.record import ConnectionEntry, Record, RequestEntry

APNS_PATH = "/3/device/"
TOKEN_PATH = "/token"  # noqa: S105 (a path)
REFUSED_STREAM, CANCEL, INTERNAL_ERROR = 7, 8, 2
Fields = list[tuple[str, str]]


class Carrier(Protocol):
    """What a request needs of its connection."""

    loop: Loop
    record: Record
    entry: ConnectionEntry
    line: Line
    http: h2.connection.H2Connection
    requests: dict[int, "FaultRequest"]

    @property
    def number(self) -> int:
        """Which connection of the server this is, from 0."""

    def flush(self) -> None:
        """Write what h2 has to say."""

    def write_raw(self, data: bytes) -> None:
        """Send bytes that h2 knows nothing of, after those it has written."""

    def goaway(self, last_stream: int, code: int = 0, debug: bytes = b"") -> None:
        """Send GOAWAY; streams beyond the last are not processed from now on."""

    def settings(self, values: dict[int, int] | None = None) -> None:
        """Send SETTINGS."""

    def close(self) -> None:
        """End the connection with FIN."""

    def reset(self) -> None:
        """End the connection with RST."""


class FaultRequest:
    """Answers go out in frames that h2 checks, unless a method says that they are raw."""

    def __init__(self, connection: Carrier, entry: RequestEntry) -> None:
        self.connection = connection
        self.entry = entry
        self.body = bytearray()
        self._unsent = b""
        self._ends = False

    @property
    def stream(self) -> int:
        """The id of the stream."""
        return self.entry.stream

    @property
    def ordinal(self) -> int:
        """Which request of its connection this is, from 0."""
        return (self.stream - 1) // 2

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return orjson.loads(bytes(self.body))

    def accept(self) -> None:
        """Answer as the gateway of the path accepts a push."""
        if self.entry.path.startswith(APNS_PATH):
            self.answer(200)
        elif self.entry.path == TOKEN_PATH:
            self.connection.record.token_calls += 1
            self.answer(200, {"access_token": "ya29.faults", "expires_in": 3_599})
        else:
            self.answer(200, {"name": f"projects/p/messages/{uuid4()}"})

    def refuse_push(self, status: int, reason: str, **more: object) -> None:
        """Answer as APNs refuses a push: a status and a reason."""
        self.answer(status, {"reason": reason, **more})

    def answer(self, status: int, body: object = b"", headers: Fields | None = None) -> None:
        """Answer with a status, headers and a body (bytes, or a value that becomes JSON)."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        self.head(status, headers, last=not content)
        if content:
            self.data(content, last=True)

    def head(self, status: int, headers: Fields | None = None, *, last: bool = False) -> None:
        """Send the header block of an answer; 1xx may be sent before it."""
        fields = [(":status", str(status)), *self._echo(headers)]
        if status >= 200:
            self._note(status)
        self._say(lambda: self._http.send_headers(self.stream, fields, end_stream=last))
        if last:
            self.forget()

    def _note(self, status: int) -> None:
        # Before it is sent: whoever reads the answer finds it in the record.
        if status >= 300:
            self.connection.record.disown(self.entry)
        self.connection.record.answer(self.entry, str(status))

    def _echo(self, headers: Fields | None) -> Fields:
        if headers is not None:
            return headers
        return [("apns-id", self.entry.apns_id)] if self.entry.apns_id else []

    def data(self, content: bytes, *, last: bool = False, padding: int | None = None) -> None:
        """Send a part of the body in a frame of its own, as far as the client's window allows."""
        if self._unsent:
            self._unsent += content
            self._ends = last
            return
        self._ends = last
        if padding is not None:
            self._say(lambda: self._http.send_data(self.stream, content, last, padding))
            if last:
                self.forget()
            return
        self._unsent = content
        self.send_more()

    def send_more(self) -> None:
        """Send what waited for the client's window."""
        while self._unsent:
            room = self._room()
            if not room:
                return
            part, self._unsent = self._unsent[:room], self._unsent[room:]
            last = self._ends and not self._unsent
            self._say(partial(self._http.send_data, self.stream, part, last))
            if last:
                self.forget()

    def _room(self) -> int:
        try:
            window = self._http.local_flow_control_window(self.stream)
        except h2.exceptions.ProtocolError:
            self._unsent = b""
            return 0
        return int(min(window, self._http.max_outbound_frame_size))

    def trailers(self, fields: Fields) -> None:
        """End the answer with a header block."""
        self._say(lambda: self._http.send_headers(self.stream, fields, end_stream=True))
        self.forget()

    def head_raw(self, status: int, parts: int, headers: Fields | None = None) -> None:
        """Send the header block in a HEADERS and CONTINUATION frames, `parts` in all (raw)."""
        fields = [(":status", str(status)), *self._echo(headers)]
        block = self._http.encoder.encode(fields)
        size = max(1, -(-len(block) // parts))
        self._note(status)
        pieces = [block[at : at + size] for at in range(0, len(block), size)]
        for index, piece in enumerate(pieces):
            kind = raw.CONTINUATION if index else raw.HEADERS
            flags = raw.END_HEADERS if index == len(pieces) - 1 else 0
            self.connection.write_raw(raw.frame(kind, flags, self.stream, piece))

    def data_raw(self, content: bytes, *, last: bool = False) -> None:
        """Send a DATA frame that h2 knows nothing of (raw)."""
        flags = raw.END_STREAM if last else 0
        self.connection.write_raw(raw.frame(raw.DATA, flags, self.stream, content))
        if last:
            self.forget()

    def refuse(self) -> None:
        """Refuse the stream: it is not processed."""
        self.connection.record.disown(self.entry)
        self.reset(REFUSED_STREAM)

    def reset(self, code: int) -> None:
        """End the stream with RST_STREAM."""
        self.connection.record.answer(self.entry, f"reset {code}")
        error = h2.errors.ErrorCodes(code)
        self._say(lambda: self._http.reset_stream(self.stream, error))
        self.forget()

    def cancelled(self, code: int) -> None:
        """Note that the client has ended the stream."""
        self.entry.cancelled = code
        self.forget()

    def arrived_too_late(self) -> None:
        """Note that the request came whole only after it had its answer."""
        if self.entry.answer == "200":
            self.connection.record.process(self.entry)

    def forget(self) -> None:
        """Count the stream as closed."""
        if self.connection.requests.pop(self.stream, None) is not None:
            self.connection.record.leave()

    @property
    def _http(self) -> h2.connection.H2Connection:
        return self.connection.http

    def _say(self, act: Callable[[], object]) -> None:
        """Do it unless the client has ended the stream or the connection meanwhile."""
        if self.connection.entry.closed_at is not None:
            return
        try:
            act()
        except (h2.exceptions.StreamClosedError, h2.exceptions.NoSuchStreamError):
            return
        self.connection.flush()


def fcm_target(body: bytes) -> str:
    """Return the target of a message to FCM, "" when the body is none."""
    try:
        message = orjson.loads(body)["message"]
        return str(message.get("token") or message.get("fid") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
