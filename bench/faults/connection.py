"""One HTTP/2 connection of the fault server: h2 reads and checks, scripts decide."""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from bench.faults import raw
from bench.faults.line import Line
from bench.faults.loop import Loop
from bench.faults.record import ConnectionEntry, Record, RequestEntry
from bench.faults.request import APNS_PATH, TOKEN_PATH, FaultRequest, fcm_target

MAX_CONCURRENT_STREAMS = 3
_UNLIMITED = 2**31 - 1
_WORTH_AN_UPDATE = 16_384


class _Lenient(h2.settings.Settings):
    """h2 would end the connection at one stream too many; here the record judges that."""

    @property
    def max_concurrent_streams(self) -> int:
        return _UNLIMITED

    @max_concurrent_streams.setter
    def max_concurrent_streams(self, value: int) -> None:
        self[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = value


class Turns(Protocol):
    """What a script does at each turn; `bench.faults.script` holds one."""

    @property
    def opened(self) -> Callable[["FaultConnection"], object]:
        """After the TLS handshake."""

    @property
    def began(self) -> Callable[[FaultRequest], object]:
        """Once the headers of a request were read."""

    @property
    def arrived(self) -> Callable[[FaultRequest], object]:
        """Once a request was read whole."""

    @property
    def pinged(self) -> Callable[["FaultConnection"], object]:
        """After a PING of the client was answered."""


class FaultConnection:
    """What scripts see of a connection; to be used on the server's thread."""

    def __init__(self, loop: Loop, record: Record, script: Turns, entry: ConnectionEntry) -> None:
        self.loop = loop
        self.record = record
        self.script = script
        self.entry = entry
        self.requests: dict[int, FaultRequest] = {}
        self.line: Line
        self.replenishes = True
        self.limit: int | None = None
        self.last_stream = 0
        self._is_greeted = False
        self._announced: deque[dict[int, int]] = deque()
        self._held: list[tuple[int, int]] = []
        self._owed = 0
        self._ignored_above = raw.LAST_STREAM
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.http.local_settings = _Lenient(client=False)
        # h2 would write our settings itself; `settings` does, when a script says so.
        self.http.initiate_connection()
        self.http.clear_outbound_data_buffer()

    @property
    def number(self) -> int:
        """Which connection of the server this is, from 0."""
        return self.entry.number

    def settings(self, values: dict[int, int] | None = None) -> None:
        """Send SETTINGS; the first also lets out what h2 had to say before it."""
        values = dict(values or {})
        held = self.http.data_to_send()
        self.http.update_settings(values)
        self.line.write(self.http.data_to_send() + held)
        self._is_greeted = True
        self._announced.append(values)
        self.entry.settings.append(values)
        self.flush()

    def write_raw(self, data: bytes) -> None:
        """Send bytes that h2 knows nothing of, after those it has written."""
        self.flush()
        self.line.write(data)

    def goaway(self, last_stream: int, code: int = 0, debug: bytes = b"") -> None:
        """Send GOAWAY; streams beyond the last are not processed from now on."""
        self._ignored_above = min(self._ignored_above, last_stream)
        self.entry.goaways.append((last_stream, code, debug))
        for request in list(self.requests.values()):
            if request.stream > last_stream:
                self.record.disown(request.entry)
                self.record.answer(request.entry, f"beyond {last_stream}")
        self.write_raw(raw.goaway(last_stream, code, debug))

    def ping(self, payload: bytes = b"carillon") -> None:
        """Ask for a sign of life."""
        self.http.ping(payload)
        self.flush()

    def replenish(self) -> None:
        """Give back the room of what was read while `replenishes` was off."""
        held, self._held = self._held, []
        for length, stream in held:
            self._give_back(length, stream)
        self._settle_debt()
        self.flush()

    def close(self) -> None:
        """End the connection with FIN."""
        self.flush()
        self._ended("server")
        self.line.close()

    def reset(self) -> None:
        """End the connection with RST."""
        self._ended("server")
        self.line.reset()

    def flush(self) -> None:
        """Write what h2 has to say."""
        if self._is_greeted:
            self.line.write(self.http.data_to_send())

    def shaken(self, fault: str) -> None:
        """Go on after the TLS handshake, or note why it failed."""
        if fault:
            self.entry.fault = fault
            self._ended("handshake")
            return
        self.script.opened(self)

    def took(self, data: bytes) -> None:
        """Read what the client sent; nothing at its end."""
        if not data:
            self._ended("client")
        if self.entry.closed_at is not None:
            return
        try:
            events = self.http.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.entry.violations.append(f"{type(error).__name__}: {error}")
            self.close()
            return
        for event in events:
            if self.entry.closed_at is None:
                self._handle(event)
        self.flush()

    def _handle(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self._begin(event)
            case h2.events.DataReceived():
                self._read(event)
            case h2.events.StreamEnded(stream_id=int(stream)):
                self._arrive(stream)
            case h2.events.StreamReset(stream_id=stream, error_code=code):
                if stream in self.requests:
                    self.requests[stream].cancelled(int(code or 0))
            case _:
                self._handle_for_connection(event)

    def _handle_for_connection(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                for request in list(self.requests.values()):
                    request.send_more()
            case h2.events.SettingsAcknowledged():
                self._acknowledged()
            case h2.events.PingReceived():
                self.entry.pings.append(time.monotonic())
                self.script.pinged(self)
            case h2.events.PingAckReceived():
                self.entry.pongs += 1
            case h2.events.ConnectionTerminated(error_code=code):
                # h2 says nothing more after it, and no client of ours reads on.
                self.entry.fault = f"client GOAWAY {int(code)}" if code else ""
                self._ended("client")

    def _begin(self, event: h2.events.RequestReceived) -> None:
        stream = event.stream_id
        fields = [(_text(name), _text(value)) for name, value in event.headers or ()]
        headers = dict(fields)
        path = headers.get(":path", "")
        token = unquote(path.rpartition("/")[2]) if path.startswith(APNS_PATH) else ""
        entry = RequestEntry(self.number, stream, path, token, headers, time.monotonic())
        entry.before_settings = not self._is_greeted
        names = [name for name, _ in fields]
        if len(names) != len(set(names)):
            self.entry.violations.append("a header twice")
        if self.limit is not None and len(self.requests) >= self.limit:
            self.entry.violations.append(f"stream {stream} is one more than {self.limit}")
        self.last_stream = stream
        request = FaultRequest(self, entry)
        self.requests[stream] = request
        self.entry.requests += 1
        self.entry.peak = max(self.entry.peak, len(self.requests))
        self.record.begin(entry)
        if stream > self._ignored_above:
            self.record.answer(entry, f"beyond {self._ignored_above}")
        else:
            self.script.began(request)

    def _read(self, event: h2.events.DataReceived) -> None:
        stream = event.stream_id
        if stream in self.requests:
            self.requests[stream].body += event.data
        length = event.flow_controlled_length or 0
        waits_for_more = stream if event.stream_ended is None else 0
        if self.replenishes:
            self._give_back(length, waits_for_more)
        else:
            self._held.append((length, waits_for_more))

    def _give_back(self, length: int, stream: int) -> None:
        # By hand: h2 forgets what it owes to streams whose window SETTINGS made smaller.
        if not length or self.line.closed:
            return
        if stream in self.requests:
            self.http.increment_flow_control_window(length, stream)
        self._owed += length
        if self._owed >= _WORTH_AN_UPDATE:
            self._settle_debt()

    def _settle_debt(self) -> None:
        if self._owed and not self.line.closed:
            self.http.increment_flow_control_window(self._owed)
            self._owed = 0

    def _arrive(self, stream: int) -> None:
        request = self.requests.get(stream)
        if request is None:
            return
        if not request.entry.token:
            request.entry.token = fcm_target(bytes(request.body))
        self.record.arrive(request.entry, bytes(request.body))
        if stream > self._ignored_above or request.entry.answer:
            request.arrived_too_late()
            return
        if request.entry.path != TOKEN_PATH:
            self.record.process(request.entry)
        self.script.arrived(request)

    def _acknowledged(self) -> None:
        self.entry.acknowledged += 1
        if self._announced:
            values = self._announced.popleft()
            self.limit = values.get(MAX_CONCURRENT_STREAMS, self.limit)

    def _ended(self, whose: str) -> None:
        if self.entry.closed_at is None:
            self.entry.closed_at = time.monotonic()
            self.entry.closed_by = whose
            for request in list(self.requests.values()):
                request.forget()


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
