"""A connection on a real wire, with the clock in the test's hand."""

import contextlib
import select
import ssl
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

import pytest

from bench.chaos.parsing import read_frames
from bench.faults import raw
from bench.faults.raw import frame
from delivery.http2.connection import Connection
from delivery.http2.frames import PREFACE
from delivery.http2.line import Line
from delivery.http2.stream import Finished
from delivery.transport import Ambiguous, Answer, Endpoint, NotProcessed, Request, Result
from tests.delivery.http2.peer import settings_frame
from tests.delivery.tls.servers import authority
from tests.delivery.tls.test_wire import Pair


def bodies_in(data: bytes) -> int:
    """Return how many bodies are whole in what a client said."""
    return sum(frame.kind == raw.DATA for frame in read_frames(data.removeprefix(PREFACE)))


class Ends:
    """A line and the server's end of its wire."""

    def __init__(self, pair: Pair, selector: DefaultSelector) -> None:
        self.pair = pair
        self.selector = selector
        self.results: list[Result] = []
        self._finished: deque[Finished] = deque()
        connection = Connection("gateway.example", self._finished)
        self.line = Line(pair.wire, connection, selector, now=0.0)

    def say(self, *data: bytes, now: float) -> None:
        """Let the server say something, and the line hear it."""
        assert self.pair.server is not None
        self.pair.server.sendall(b"".join(data))
        self.hear(now)

    def hear(self, now: float) -> None:
        assert select.select([self.pair.wire.socket], [], [], 10)[0], "nothing came"
        self.line.ready(now)

    def submit(self, deadline: float = 1_000.0, size: int = 2) -> None:
        request = Request(Endpoint("https://g", "a"), "/x", (), (), bytes(size), 1.0)
        self.line.connection.open(request, self.results.append, deadline)
        self.line.flush()

    def outcome(self) -> list[Result]:
        while self._finished:
            done, result = self._finished.popleft()
            done(result)
        return self.results

    def said(self, kind: int) -> list[bytes]:
        """Return the payloads of one kind of frame that the server can read now."""
        assert self.pair.server is not None
        self.pair.server.settimeout(0)
        data = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            while part := self.pair.server.recv(65_536):
                data += part
        self.pair.server.settimeout(10)
        return [one.payload for one in read_frames(data.removeprefix(PREFACE)) if one.kind == kind]


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    pair = Pair(authority(tmp_path / "authority"), ssl.TLSVersion.TLSv1_2)
    with DefaultSelector() as selector:
        yield Ends(pair, selector)
    pair.close()


def test_there_is_room_once_the_peer_has_spoken(ends: Ends) -> None:
    assert ends.line.room() == 0

    ends.say(settings_frame(), now=1.0)

    assert ends.line.room() == 1_000


def test_a_peer_without_settings_is_given_up_after_ten_seconds(ends: Ends) -> None:
    ends.line.tick(9.9, wanted=False)
    assert ends.line.ended == ""

    ends.line.tick(10.1, wanted=False)

    assert ends.line.ended == "connection lost: no sign of life"


def test_a_silent_peer_is_asked_for_a_sign_of_life(ends: Ends) -> None:
    ends.say(settings_frame(), now=1.0)
    ends.submit()
    ends.line.tick(5.9, wanted=False)
    assert ends.said(raw.PING) == []

    ends.line.tick(6.1, wanted=False)

    assert ends.said(raw.PING) == [bytes(8)]
    assert ends.line.room() == 0
    ends.say(frame(raw.PING, raw.ACK, 0, bytes(8)), now=7.0)
    assert ends.line.room() == 999


def test_a_peer_is_asked_no_more_than_once_a_minute(ends: Ends) -> None:
    ends.say(settings_frame(), now=1.0)
    ends.submit()
    ends.line.tick(6.1, wanted=False)
    ends.say(frame(raw.PING, raw.ACK, 0, bytes(8)), now=7.0)

    ends.line.tick(66.0, wanted=False)
    asked_early = ends.said(raw.PING)
    ends.line.tick(66.2, wanted=False)

    assert asked_early == [bytes(8)]
    assert ends.said(raw.PING) == [bytes(8)]


def test_a_peer_that_gives_no_sign_of_life_is_given_up(ends: Ends) -> None:
    ends.say(settings_frame(), now=1.0)
    ends.submit()
    ends.line.tick(6.1, wanted=False)

    ends.line.tick(16.2, wanted=False)

    assert ends.outcome() == [Ambiguous("connection lost: no sign of life")]
    assert ends.said(raw.GOAWAY) == [bytes(8)]


def test_nobody_is_asked_while_nothing_is_open(ends: Ends) -> None:
    ends.say(settings_frame(), now=1.0)

    ends.line.tick(3_000.0, wanted=False)

    assert ends.line.ended == ""
    assert ends.said(raw.PING) == []


def test_a_breach_of_the_protocol_ends_the_line_with_its_reason(ends: Ends) -> None:
    ends.say(settings_frame(), now=1.0)
    ends.submit()

    ends.say(frame(raw.PING, 0, 0, bytes(7)), now=2.0)

    assert ends.line.ended == "the gateway broke HTTP/2: a malformed PING"
    assert ends.outcome() == [Ambiguous(ends.line.ended)]
    assert ends.said(raw.GOAWAY)[0] == bytes(7) + b"\x06"


def test_last_words_are_heard_before_the_end(ends: Ends) -> None:
    ends.say(settings_frame(), now=1.0)
    ends.submit()
    ends.submit()
    assert ends.pair.server is not None
    ends.pair.server.sendall(frame(raw.HEADERS, 5, 1, b"\x88"))
    ends.said(raw.DATA)
    ends.pair.server.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError):
        ends.pair.server.unwrap()

    ends.hear(2.0)

    assert ends.line.ended == "connection closed by the gateway"
    assert isinstance(ends.outcome()[0], Answer)
    assert ends.results[1] == Ambiguous(ends.line.ended)


def test_what_the_socket_does_not_take_leaves_when_it_does(ends: Ends) -> None:
    ends.say(settings_frame((4, 1 << 20), (5, 1 << 20)), frame(8, 0, 0, b"\0\x0f\0\0"), now=1.0)
    for _ in range(5):
        ends.submit(size=60_000)
    assert ends.pair.server is not None
    key = ends.selector.get_key(ends.pair.wire.socket)
    assert key.events == EVENT_READ | EVENT_WRITE
    assert ends.line.room() == 0

    said = b""
    ends.pair.server.settimeout(0)
    while bodies_in(said) < 5:
        ends.line.ready(2.0)
        with contextlib.suppress(ssl.SSLWantReadError):
            said += ends.pair.server.recv(65_536)
    ends.line.ready(2.0)

    assert ends.selector.get_key(ends.pair.wire.socket).events == EVENT_READ
    assert ends.line.room() == 995


def test_a_request_that_is_late_and_did_not_leave_ends_the_line_and_never_leaves(
    ends: Ends,
) -> None:
    ends.say(settings_frame((4, 1 << 20), (5, 1 << 20)), frame(8, 0, 0, b"\0\x0f\0\0"), now=1.0)
    for _ in range(8):
        ends.submit(size=60_000, deadline=2.0)

    ends.line.tick(2.0, wanted=False)

    unsent = [one for one in ends.outcome() if isinstance(one, NotProcessed)]
    assert ends.line.ended == "connection lost: it takes no bytes"
    assert unsent
    assert bodies_in(ends.pair.read()) <= len(ends.results) - len(unsent)


def test_an_ended_line_does_nothing_more(ends: Ends) -> None:
    ends.line.end("idle")

    ends.line.end("again")
    ends.line.tick(1_000.0, wanted=False)

    assert ends.line.ended == "idle"


def test_a_peer_that_answers_nothing_any_more_gets_nothing_any_more(ends: Ends) -> None:
    ends.say(settings_frame(), now=0.1)
    for _ in range(20):
        ends.submit(deadline=1.0)
        ends.said(raw.DATA)
        ends.line.flush()

    ends.line.tick(2.0, wanted=True)

    assert ends.outcome() == [Ambiguous("timeout")] * 20
    assert ends.line.connection.draining


def test_half_a_frame_is_no_sign_of_life(ends: Ends) -> None:
    ends.say(settings_frame()[:5], now=0.1)

    ends.line.tick(11.0, wanted=True)

    assert ends.line.ended == "connection lost: no sign of life"


def test_a_peer_without_room_is_asked_for_a_sign_of_life_while_requests_wait(ends: Ends) -> None:
    ends.say(settings_frame((3, 0)), now=0.1)

    ends.line.tick(6.0, wanted=True)

    assert len(ends.said(raw.PING)) == 1


def test_a_flood_of_windows_is_answered_once(ends: Ends) -> None:
    ends.say(settings_frame((4, 0)), now=0.1)
    for _ in range(500):
        ends.submit(size=300)
    flood = frame(raw.WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 15_000
    before = time.process_time()

    ends.line.connection.receive(flood)

    # Going over all that wait for each of them took many seconds.
    assert time.process_time() - before < 2.0


def test_last_words_without_end_are_not_heard_to_their_end(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends.say(settings_frame(), now=0.1)
    said = iter([frame(99, 0, 0)] * 1_000)
    monkeypatch.setattr(ends.pair.wire, "receive", lambda: next(said, b""))
    ends.pair.wire.fault = "connection lost: the gateway does not read"

    ends.line.ready(0.2)

    assert ends.line.ended == "connection lost: the gateway does not read"
    assert next(said, None) is not None
