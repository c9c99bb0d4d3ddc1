"""What a connection does about single frames, with bytes as the server."""

from collections import deque
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.faults import raw
from bench.faults.raw import frame, goaway
from delivery.http2 import frames
from delivery.http2.connection import Connection
from delivery.http2.frames import PeerError, error_name
from delivery.http2.stream import Finished
from delivery.transport import Ambiguous, Answer, Endpoint, NotProcessed, Request, Result
from tests.delivery.http2.peer import FRAME, LIMIT, TABLE, WINDOW, settings_frame

OK = b"\x88"
GONE = b"\x48\x03410"
END = raw.END_HEADERS | raw.END_STREAM
ENDPOINT = Endpoint("https://gateway.example", "a")


class Client:
    """A connection whose bytes leave at once, unless they are told to stay."""

    def __init__(self, *pairs: tuple[int, int], first_id: int = 1, most: int = 1_000) -> None:
        self.finished: deque[Finished] = deque()
        self.connection = Connection("gateway.example", self.finished, most, first_id)
        self.results: list[Result] = []
        self.hear(settings_frame(*pairs))
        self.said()

    def hear(self, *data: bytes) -> None:
        self.connection.receive(b"".join(data))
        while self.finished:
            done, result = self.finished.popleft()
            done(result)

    def submit(self, body: bytes = b"{}", deadline: float = 9.0) -> None:
        request = Request(ENDPOINT, "/x", (), (), body, 1.0)
        self.connection.open(request, self.results.append, deadline)

    def said(self) -> list[tuple[int, int, int, bytes]]:
        """Return kind, flags, stream and payload of each frame; now they have left."""
        data = b"".join(self.connection.out)
        self.connection.out.clear()
        self.connection.written += len(data)
        data = data.removeprefix(frames.PREFACE)
        found = []
        while data:
            size = int.from_bytes(data[:3])
            stream = int.from_bytes(data[5:9])
            found.append((data[3], data[4], stream, data[9 : 9 + size]))
            data = data[9 + size :]
        return found

    def one(self) -> "Client":
        """Return the client with one request under way, as stream 1."""
        self.submit()
        self.said()
        return self


def padded(payload: bytes, size: int) -> bytes:
    return bytes((size,)) + payload + bytes(size)


def word(value: int) -> bytes:
    return pack(">I", value)


PROTOCOL, FLOW, SIZE = frames.PROTOCOL_ERROR, frames.FLOW_CONTROL_ERROR, frames.FRAME_SIZE_ERROR
BROKEN = {
    "a frame that is too large": (frame(raw.DATA, 0, 1, bytes(16_385)), SIZE),
    "a huge frame of unknown kind": (frame(99, 0, 1, bytes(16_385)), SIZE),
    "a push": (frame(raw.PUSH_PROMISE, 4, 1, word(2) + OK), PROTOCOL),
    "settings on a stream": (frame(raw.SETTINGS, 0, 1), SIZE),
    "settings of 5 bytes": (frame(raw.SETTINGS, 0, 0, bytes(5)), SIZE),
    "an acknowledgment that says something": (frame(raw.SETTINGS, raw.ACK, 0, bytes(6)), SIZE),
    "settings that allow pushes": (settings_frame((2, 1)), PROTOCOL),
    "a window of 2^31": (settings_frame((WINDOW, 1 << 31)), FLOW),
    "frames below the least": (settings_frame((FRAME, 16_383)), PROTOCOL),
    "frames beyond the most": (settings_frame((FRAME, 1 << 24)), PROTOCOL),
    "a ping on a stream": (frame(raw.PING, 0, 1, bytes(8)), SIZE),
    "a ping of 7 bytes": (frame(raw.PING, 0, 0, bytes(7)), SIZE),
    "a goodbye on a stream": (frame(raw.GOAWAY, 0, 1, bytes(8)), SIZE),
    "a goodbye of 7 bytes": (frame(raw.GOAWAY, 0, 0, bytes(7)), SIZE),
    "a reset of 3 bytes": (frame(raw.RST_STREAM, 0, 1, bytes(3)), SIZE),
    "a reset of a stream to come": (frame(raw.RST_STREAM, 0, 3, word(7)), PROTOCOL),
    "a window update of 5 bytes": (frame(raw.WINDOW_UPDATE, 0, 1, bytes(5)), SIZE),
    "a window update of nothing": (frame(raw.WINDOW_UPDATE, 0, 0, word(0)), FLOW),
    "a window that overflows": (frame(raw.WINDOW_UPDATE, 0, 0, word(2**31 - 1)), FLOW),
    "a window of a stream to come": (frame(raw.WINDOW_UPDATE, 0, 3, word(1)), PROTOCOL),
    "data on the connection": (frame(raw.DATA, 0, 0, b"x"), PROTOCOL),
    "data on a stream of the server": (frame(raw.DATA, 0, 2, b"x"), PROTOCOL),
    "headers of a stream to come": (frame(raw.HEADERS, END, 3, OK), PROTOCOL),
    "an answer that can not be read": (frame(raw.HEADERS, END, 1, b"\xff\xff"), 9),
    "headers padded beyond their end": (frame(raw.HEADERS, END | 8, 1, b"\x09" + OK), PROTOCOL),
    "headers padded without a length": (frame(raw.HEADERS, END | 8, 1), PROTOCOL),
    "data padded beyond its end": (
        frame(raw.HEADERS, 4, 1, OK) + frame(raw.DATA, 8, 1, b"\x02x"),
        PROTOCOL,
    ),
    "a priority cut short": (frame(raw.HEADERS, END | 0x20, 1, OK), PROTOCOL),
    "a continuation of nothing": (frame(raw.CONTINUATION, 4, 1, OK), PROTOCOL),
    "a continuation on another stream": (
        frame(raw.HEADERS, 0, 1, OK) + frame(raw.CONTINUATION, 4, 3, b""),
        PROTOCOL,
    ),
    "something before a continuation": (
        frame(raw.HEADERS, 0, 1, OK) + frame(raw.PING, 0, 0, bytes(8)),
        PROTOCOL,
    ),
    "headers without an end": (
        frame(raw.HEADERS, 0, 1, OK) + 5 * frame(raw.CONTINUATION, 0, 1, bytes(16_000)),
        PROTOCOL,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_breach_of_the_protocol_is_an_error_of_the_peer(name: str) -> None:
    client = Client().one()
    data, code = BROKEN[name]

    with pytest.raises(PeerError) as caught:
        client.hear(data)

    assert caught.value.code == code
    client.connection.end("broken")
    assert len(client.finished) == 1


MALFORMED = {
    "data before headers": frame(raw.DATA, 0, 1, b"x"),
    "no status": frame(raw.HEADERS, END, 1, b"\x00\x01a\x01b"),
    "a status of 99": frame(raw.HEADERS, END, 1, b"\x48\x03099"),
    "an informational answer at the end": frame(raw.HEADERS, END, 1, b"\x48\x03100"),
    "headers twice": 2 * frame(raw.HEADERS, 4, 1, GONE),
    "an empty window update": frame(raw.WINDOW_UPDATE, 0, 1, word(0)),
    "a window of a stream that overflows": 2 * frame(raw.WINDOW_UPDATE, 0, 1, word(2**31 - 1)),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_ends_its_stream_alone(name: str) -> None:
    client = Client()
    client.submit()
    client.one()

    client.hear(MALFORMED[name])
    client.hear(frame(raw.DATA, END, 1, b"too late"), frame(raw.HEADERS, END, 3, OK))

    assert isinstance(client.results[0], Ambiguous)
    assert isinstance(client.results[1], Answer)
    assert [(kind, stream) for kind, _, stream, _ in client.said()] == [(raw.RST_STREAM, 1)]


def test_the_first_frame_must_be_settings() -> None:
    connection = Connection("gateway.example", deque())

    with pytest.raises(PeerError):
        connection.receive(frame(raw.PING, 0, 0, bytes(8)))


def test_there_is_no_room_before_the_settings_of_the_peer() -> None:
    connection = Connection("gateway.example", deque(), most=7)
    assert connection.room() == 0

    connection.receive(settings_frame())

    assert connection.room() == 7


def test_the_preface_asks_for_stateless_headers_and_no_pushes() -> None:
    connection = Connection("gateway.example", deque())

    said = b"".join(connection.out)

    assert said.startswith(frames.PREFACE)
    assert settings_frame((TABLE, 0), (2, 0), (WINDOW, 1 << 20)) in said


@given(st.integers(0, 10), st.integers(0, 10), st.integers(1, 10))
def test_room_follows_the_limit_down_and_up(limit: int, other: int, most: int) -> None:
    client = Client((LIMIT, limit), most=most)
    for _ in range(client.connection.room()):
        client.submit()
    opened = len(client.connection.streams)

    client.hear(settings_frame((LIMIT, other)))

    assert opened == min(limit, most)
    assert client.connection.room() == min(other, most) - opened
    assert client.connection.highest_limit == max(limit, other)


def test_stream_ids_run_out_exactly_at_the_last() -> None:
    client = Client(first_id=2**31 - 3)

    assert client.connection.room() == 2
    client.submit()
    client.submit()

    assert [stream for kind, _, stream, _ in client.said() if kind == 1] == [2**31 - 3, 2**31 - 1]
    assert client.connection.draining
    assert client.connection.room() <= 0


@pytest.mark.parametrize("reserved", [0, 1 << 31])
def test_a_goodbye_ends_what_lies_beyond_its_last_stream(reserved: int) -> None:
    client = Client()
    for _ in range(3):
        client.submit()
    client.said()

    client.hear(goaway(3 | reserved, 2, b'{"reason":"Shutdown"}'))

    words = "beyond the last stream of GOAWAY internal_error"
    assert client.results == [NotProcessed("refused", words, b'{"reason":"Shutdown"}')]
    assert client.connection.room() == 0
    client.hear(frame(raw.HEADERS, END, 3, OK), frame(raw.HEADERS, END, 1, GONE))
    assert [one.status for one in client.results[1:] if isinstance(one, Answer)] == [200, 410]


def test_what_a_goodbye_said_is_known_to_what_the_connection_loses_later() -> None:
    client = Client().one()

    client.hear(goaway(2**31 - 1, 0, b"why"), goaway(1, 0, b""))
    client.connection.end("closed")

    assert client.finished.popleft()[1] == Ambiguous("closed", b"why")


@pytest.mark.parametrize("code", [0, 2, 8, 11, 0xABC])
def test_a_reset_is_ambiguous_by_its_code(code: int) -> None:
    client = Client().one()

    client.hear(frame(raw.RST_STREAM, 0, 1, word(code)))

    assert client.results == [Ambiguous(f"stream reset: {error_name(code)}")]


def test_a_refused_stream_is_not_processed() -> None:
    client = Client().one()

    client.hear(2 * frame(raw.RST_STREAM, 0, 1, word(7)))

    assert client.results == [NotProcessed("refused", "stream reset: refused_stream")]


@pytest.mark.parametrize(
    "then",
    [frame(raw.RST_STREAM, 0, 1, word(7)), goaway(0, 0, b""), frame(raw.RST_STREAM, 0, 1, word(2))],
)
def test_a_success_stays_one_whatever_comes_after_its_status(then: bytes) -> None:
    client = Client().one()

    client.hear(frame(raw.HEADERS, 4, 1, OK), then)

    assert [type(one) for one in client.results] == [Answer]


@given(st.lists(st.integers(1, 60), max_size=30), st.integers(0, 255))
def test_an_answer_is_the_same_however_it_is_cut(cuts: list[int], padding: int) -> None:
    client = Client().one()
    priority = bytes(5)
    answer = b"".join(
        (
            frame(raw.HEADERS, 4, 1, b"\x48\x03103"),
            frame(raw.PING, 0, 0, b"12345678"),
            frame(raw.HEADERS, raw.PADDED | 0x20, 1, padded(priority + GONE[:2], padding)),
            frame(raw.CONTINUATION, 0, 1, GONE[2:]),
            frame(raw.CONTINUATION, 4, 1, b"\x00\x01a\x01b"),
            frame(0x42, 255, 7, b"unknown"),
            frame(raw.PRIORITY, 0, 1, priority),
            frame(raw.DATA, raw.PADDED, 1, padded(b'{"reason":', padding)),
            frame(raw.DATA, 0, 1, b'"Unregistered"}'),
            frame(raw.HEADERS, END, 1, b"\x00\x01t\x01r"),
        )
    )

    for cut in cuts:
        client.hear(answer[:cut])
        answer = answer[cut:]
    client.hear(answer)

    found = client.results[0]
    assert isinstance(found, Answer)
    assert (found.status, found.body) == (410, b'{"reason":"Unregistered"}')
    assert dict(found.headers) == {":status": "410", "a": "b"}
    assert client.said() == [(raw.PING, raw.ACK, 0, b"12345678")]
