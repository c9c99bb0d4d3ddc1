"""How a connection writes: windows, pieces, deadlines, and what has left for good."""

import pytest

from bench.faults import raw
from bench.faults.raw import frame
from delivery.transport import Ambiguous, Answer, NotProcessed
from tests.delivery.http2.peer import FRAME, LIST, WINDOW, settings_frame
from tests.delivery.http2.test_connection import END, GONE, OK, Client, word


def bodies(client: Client) -> list[tuple[int, bytes, int]]:
    """Return stream, data and END_STREAM of the DATA frames that left."""
    return [(stream, data, flags & 1) for kind, flags, stream, data in client.said() if not kind]


def test_a_body_beyond_the_window_of_its_stream_comes_in_pieces() -> None:
    client = Client((WINDOW, 4))

    client.submit(b"0123456789")
    assert bodies(client) == [(1, b"0123", 0)]
    client.hear(frame(raw.WINDOW_UPDATE, 0, 1, word(3)))
    assert bodies(client) == [(1, b"456", 0)]
    client.hear(settings_frame((WINDOW, 0)), frame(raw.WINDOW_UPDATE, 0, 1, word(4)))
    assert bodies(client) == []
    client.hear(settings_frame((WINDOW, 3)))

    assert bodies(client) == [(1, b"789", 1)]


def test_the_window_of_the_connection_is_shared() -> None:
    client = Client((WINDOW, 1 << 20), (FRAME, 1 << 20))
    client.submit(bytes(65_530))
    client.submit(b"0123456789")

    assert [(stream, len(data), end) for stream, data, end in bodies(client)] == [
        (1, 65_530, 1),
        (3, 5, 0),
    ]
    assert client.connection.room() == 0
    client.hear(frame(raw.WINDOW_UPDATE, 0, 0, word(100)))

    assert bodies(client) == [(3, b"56789", 1)]
    assert client.connection.room() > 0


def test_frames_are_no_larger_than_the_peer_takes() -> None:
    client = Client((WINDOW, 1 << 20))

    client.submit(bytes(40_000))

    assert [len(data) for _, data, _ in bodies(client)] == [16_384, 16_384, 7_232]


def test_an_empty_body_needs_no_window() -> None:
    client = Client((WINDOW, 0))

    client.submit(b"")

    assert bodies(client) == [(1, b"", 1)]


def test_headers_over_the_limit_of_the_peer_take_no_stream() -> None:
    client = Client((LIST, 100))

    client.submit()
    client.hear()

    assert isinstance(client.results[0], NotProcessed)
    assert client.results[0].fault == "too_large"
    assert client.said() == []
    assert not client.connection.streams


def test_an_answer_before_the_whole_request_stops_it() -> None:
    client = Client((WINDOW, 1))
    client.submit(b"long")
    client.said()

    client.hear(frame(raw.HEADERS, END, 1, GONE), frame(raw.WINDOW_UPDATE, 0, 1, word(9)))

    assert isinstance(client.results[0], Answer)
    assert client.said() == [(raw.RST_STREAM, 0, 1, word(8))]


def test_an_endless_body_is_cut_and_stopped() -> None:
    client = Client().one()

    client.hear(frame(raw.HEADERS, 4, 1, GONE), *(5 * [frame(raw.DATA, 0, 1, bytes(16_000))]))

    assert [one.status for one in client.results if isinstance(one, Answer)] == [410]
    assert client.said() == [(raw.RST_STREAM, 0, 1, word(8))]


@pytest.mark.parametrize("is_open", [True, False])
def test_the_window_we_gave_is_renewed_before_it_is_used_up(*, is_open: bool) -> None:
    client = Client().one()
    data, received, renewed = frame(raw.DATA, 0, 1, bytes(16_384)), 0, 0
    client.hear(frame(raw.HEADERS, 4 if is_open else END, 1, GONE), 5 * data)
    client.said()

    while not client.connection.out:
        client.hear(data)
        received += 16_384
    for kind, _, stream, payload in client.said():
        if (kind, stream) == (raw.WINDOW_UPDATE, 0):
            renewed += int.from_bytes(payload)

    assert renewed == received + 5 * 16_384 < 2**31 - 1


@pytest.mark.parametrize(
    ("size", "result"),
    [(2, Ambiguous("timeout")), (9, NotProcessed("unsent", "timeout"))],
)
def test_a_deadline_cancels_its_stream(size: int, result: object) -> None:
    client = Client((WINDOW, 5))
    client.submit(bytes(size), deadline=1.0)
    client.submit(deadline=2.0)
    client.said()

    assert client.connection.expire(1.0)
    client.hear(frame(raw.HEADERS, END, 1, OK))

    assert client.results == [result]
    assert client.said() == [(raw.RST_STREAM, 0, 1, word(8))]
    assert list(client.connection.streams) == [3]


def test_a_late_request_that_may_still_leave_ends_the_connection() -> None:
    client = Client()
    client.submit(deadline=1.0)

    assert not client.connection.expire(1.0)
    client.connection.end("timeout")

    assert client.finished.popleft()[1] == NotProcessed("unsent", "timeout")


def test_the_end_tells_what_left_whole_from_what_did_not() -> None:
    client = Client((WINDOW, 3))
    for body in (b"all", b"half", b"none"):
        client.submit(body)
    whole = b"".join(client.connection.out[:4])
    client.connection.written += len(whole)

    client.connection.end("connection lost")
    client.hear()

    assert client.results == [
        Ambiguous("connection lost"),
        NotProcessed("unsent", "connection lost"),
        NotProcessed("unsent", "connection lost"),
    ]


def test_one_byte_less_than_the_whole_is_not_processed() -> None:
    client = Client()
    client.submit()
    client.connection.written += len(b"".join(client.connection.out)) - 1

    client.connection.end("connection lost")
    client.hear()

    assert client.results == [NotProcessed("unsent", "connection lost")]


def test_a_success_without_its_body_is_one_when_the_connection_ends() -> None:
    client = Client()
    client.one()
    client.one()
    client.hear(frame(raw.HEADERS, 4, 1, OK), frame(raw.HEADERS, 4, 3, GONE))

    client.connection.end("connection lost")
    client.hear()

    assert isinstance(client.results[0], Answer)
    assert client.results[1] == Ambiguous("connection lost")


def test_pings_and_goodbyes_are_written_as_the_protocol_says() -> None:
    client = Client()

    client.connection.ping()
    client.connection.leave(3)

    assert client.said() == [(raw.PING, 0, 0, bytes(8)), (raw.GOAWAY, 0, 0, bytes(7) + b"\x03")]


def test_settings_are_acknowledged_once_each_and_acknowledgments_are_not() -> None:
    client = Client()

    client.hear(settings_frame(), settings_frame((99, 1)), frame(raw.SETTINGS, raw.ACK, 0))

    assert client.said() == 2 * [(raw.SETTINGS, raw.ACK, 0, b"")]
