"""The fault server's record sees what a careless sender does: it would not judge otherwise."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from bench.faults.request import FaultRequest
from bench.faults.script import Script, greet, ignore
from bench.faults.server import FaultServer, Options, serving

TOKEN = "ab" * 32


class Careless:
    """A client that does whatever a test wants, by h2 but without its manners."""

    def __init__(self, server: FaultServer) -> None:
        context = ssl.create_default_context(cafile=server.ca)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        config = h2.config.H2Configuration(client_side=True)
        self.http = h2.connection.H2Connection(config)
        self.http.initiate_connection()
        self.flush()

    def push(self, token: str = TOKEN, body: bytes = b"{}", *, whole: bool = True) -> int:
        """Send a push, or only its headers."""
        stream = self.http.get_next_available_stream_id()
        fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "127.0.0.1"),
            (":path", f"/3/device/{token}"),
            ("apns-id", "one"),
        ]
        self.http.send_headers(stream, fields)
        if whole:
            self.http.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    def flush(self) -> None:
        self._socket.sendall(self.http.data_to_send())

    def read_until(self, kind: type[h2.events.Event]) -> None:
        """Read until something of a kind has come."""
        while True:
            data = self._socket.recv(65_536)
            assert data, "the server closed the connection"
            events = self.http.receive_data(data)
            self.flush()
            if any(isinstance(event, kind) for event in events):
                return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultServer]:
    with serving(tmp_path) as server:
        yield server


@pytest.fixture
def client(server: FaultServer) -> Iterator[Careless]:
    client = Careless(server)
    client.read_until(h2.events.RemoteSettingsChanged)
    yield client
    client.close()


def test_a_push_is_recorded_with_its_answer(server: FaultServer, client: Careless) -> None:
    client.push()
    client.read_until(h2.events.StreamEnded)

    (entry,) = server.record.requests
    assert (entry.token, entry.apns_id, entry.body) == (TOKEN, "one", b"{}")
    assert (entry.processed, entry.answer) == (True, "200")
    assert server.record.duplicates == 0


def test_a_push_that_comes_twice_is_a_duplicate(server: FaultServer, client: Careless) -> None:
    for body in (b"{}", b"{}", b'{"another":1}'):
        client.push(body=body)
        client.read_until(h2.events.StreamEnded)

    assert server.record.duplicates == 1
    assert server.record.processed_times(f"/3/device/{TOKEN}", b"{}") == 2


def test_a_stream_too_many_is_a_violation(server: FaultServer, client: Careless) -> None:
    server.script = Script(opened=greet(1), arrived=ignore)
    server.each(lambda connection: connection.settings({3: 1}))
    client.read_until(h2.events.RemoteSettingsChanged)
    client.http.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 100
    client.http.remote_settings.acknowledge()

    client.push()
    client.push()
    # Its answer comes when all before it was read.
    client.http.ping(b"all read")
    client.flush()
    client.read_until(h2.events.PingAckReceived)

    assert server.record.violations() == ["stream 3 is one more than 1"]


def test_a_push_before_the_first_settings_is_noted(tmp_path: Path) -> None:
    with serving(tmp_path, Script(opened=ignore)) as server:
        client = Careless(server)
        client.push()
        while not server.record.requests:
            server.call(lambda: None)
        server.each(lambda connection: connection.settings({}))
        client.read_until(h2.events.RemoteSettingsChanged)
        client.close()

        assert server.record.requests[0].before_settings


def test_what_is_refused_or_never_came_whole_is_no_push(
    server: FaultServer, client: Careless
) -> None:
    client.push(whole=False)
    server.script = Script(arrived=FaultRequest.refuse)
    client.push()
    client.read_until(h2.events.StreamReset)

    assert [entry.processed for entry in server.record.requests] == [False, False]
    assert [entry.answer for entry in server.record.requests] == ["", "reset 7"]


def test_what_lies_beyond_a_goaway_is_no_push(server: FaultServer, client: Careless) -> None:
    server.script = Script(arrived=ignore)
    client.push()
    client.push(body=b'{"second":1}')
    while server.record.processed < 2:
        server.call(lambda: None)

    server.each(lambda connection: connection.goaway(1))
    client.read_until(h2.events.ConnectionTerminated)

    assert [entry.processed for entry in server.record.requests] == [True, False]
    assert server.record.processed == 1
    assert server.record.connections[0].goaways == [(1, 0, b"")]


def test_breaking_a_window_is_a_violation(tmp_path: Path) -> None:
    with serving(tmp_path, Script(opened=greet(10, {4: 10}))) as server:
        client = Careless(server)
        client.read_until(h2.events.RemoteSettingsChanged)
        stream = client.push(whole=False)
        client.flush()
        frame = (100).to_bytes(3, "big") + b"\0\1" + stream.to_bytes(4, "big") + bytes(100)
        client._socket.sendall(frame)
        client.read_until(h2.events.ConnectionTerminated)
        client.close()

        assert "FlowControlError" in server.record.violations()[0]


def test_counters_alone_are_kept_on_request(tmp_path: Path) -> None:
    with serving(tmp_path, options=Options(keep=False)) as server:
        client = Careless(server)
        client.read_until(h2.events.RemoteSettingsChanged)
        for _ in range(2):
            client.push()
            client.read_until(h2.events.StreamEnded)
        client.close()

        assert server.record.requests == []
        assert (server.record.processed, server.record.duplicates) == (2, 1)
        assert server.record.answers == {"200": 2}
        assert server.record.connections_within(60) == 1
