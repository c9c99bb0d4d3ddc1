"""Frames of a server that is right, odd or wrong, drawn at random; pure."""

from random import Random
from struct import pack

from bench.faults import raw
from bench.faults.raw import frame, goaway

STATUSES = (200, 200, 200, 400, 410, 429, 500, 503)
_SETTINGS = ((3, 0), (3, 1), (3, 50), (3, 1_000), (4, 0), (4, 100), (4, 65_535), (4, 1 << 20))
_OTHER_SETTINGS = ((1, 0), (1, 100), (1, 4_096), (5, 16_384), (5, 1 << 20), (6, 400), (6, 9_999))


def settings(*pairs: tuple[int, int]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(raw.SETTINGS, 0, 0, b"".join(pack(">HI", *pair) for pair in pairs))


def window(stream: int, size: int) -> bytes:
    """Return a WINDOW_UPDATE."""
    return frame(raw.WINDOW_UPDATE, 0, stream, pack(">I", size))


def reset(stream: int, code: int) -> bytes:
    """Return a RST_STREAM."""
    return frame(raw.RST_STREAM, 0, stream, pack(">I", code))


def some_settings(random: Random) -> bytes:
    """Return settings that a server may send."""
    known = [*_SETTINGS, *_OTHER_SETTINGS, (99, 7)]
    return settings(*(random.choice(known) for _ in range(random.randint(0, 3))))


def answer(random: Random, stream: int, status: int, body: bytes) -> list[bytes]:
    """Return a valid answer: padded, split, with trailers, after a 1xx, as it comes."""
    found = [frame(raw.HEADERS, raw.END_HEADERS, stream, b"\x48\x03103")] * (random.random() < 0.1)
    fields = b"\x00\x07apns-id\x04%04d" % random.randrange(10_000)
    block = (b"\x88" if status == 200 else b"\x48\x03%d" % status) + fields
    trailers = random.random() < 0.1
    end = 0 if body or trailers else raw.END_STREAM
    if random.random() < 0.2:
        cut = random.randint(0, len(block))
        found.append(frame(raw.HEADERS, end, stream, block[:cut]))
        found.append(frame(raw.CONTINUATION, raw.END_HEADERS, stream, block[cut:]))
    else:
        found.append(_padded(random, raw.HEADERS, end | raw.END_HEADERS, stream, block))
    while body:
        cut = random.choice((1, 10, len(body)))
        piece, body = body[:cut], body[cut:]
        end = 0 if body or trailers else raw.END_STREAM
        found.append(_padded(random, raw.DATA, end, stream, piece))
    if trailers:
        found.append(
            frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, stream, b"\x00\x01t\x01r")
        )
    return found


def _padded(random: Random, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    if random.random() < 0.8:
        return frame(kind, flags, stream, payload)
    size = random.randrange(256)
    return frame(kind, flags | raw.PADDED, stream, bytes((size,)) + payload + bytes(size))


def harmless(random: Random, streams: list[int]) -> bytes:
    """Return a valid frame that answers nothing."""
    stream = random.choice(streams or [0])
    return random.choice(
        (
            frame(raw.PING, 0, 0, random.randbytes(8)),
            frame(raw.PING, raw.ACK, 0, random.randbytes(8)),
            frame(random.randrange(10, 256), random.randrange(256), stream, random.randbytes(20)),
            frame(raw.PRIORITY, 0, max(1, stream), bytes(5)),
            frame(raw.SETTINGS, raw.ACK, 0),
            window(stream, random.choice((1, 1_000, 100_000))),
            some_settings(random),
        )
    )


def goodbye(random: Random, streams: list[int]) -> bytes:
    """Return a GOAWAY with any last stream."""
    last = random.choice([*streams, 0, raw.LAST_STREAM, max(streams or [0]) + 2])
    debug = random.choice((b"", b'{"reason":"Shutdown"}', random.randbytes(9)))
    return goaway(last, random.choice((0, 2, 11, 99)), debug)


def any_frame(random: Random, streams: list[int]) -> bytes:
    """Return a frame of any kind, flags and payload; mostly a wrong one."""
    stream = random.choice([*streams, 0, 1, 2, 999, raw.LAST_STREAM])
    size = random.choice((0, 1, 4, 5, 6, 8, 12, 50))
    return frame(random.randrange(11), random.randrange(256), stream, random.randbytes(size))


def scramble(random: Random, said: list[bytes]) -> bytes:
    """Return frames re-ordered, doubled, dropped, changed, cut off or mixed with noise."""
    said = list(said)
    for _ in range(random.randint(1, 4)):
        at, other = random.randrange(len(said)), random.randrange(len(said))
        match random.randrange(6):
            case 0:
                said[at], said[other] = said[other], said[at]
            case 1:
                said.insert(at, said[other])
            case 2:
                said[at] = b""
            case 3 if said[at]:
                changed = bytearray(said[at])
                changed[random.randrange(len(changed))] = random.randrange(256)
                said[at] = bytes(changed)
            case 4:
                said.insert(at, random.randbytes(random.randint(1, 40)))
            case _:
                said[at] = said[at][: random.randint(0, len(said[at]))]
    data = b"".join(said)
    return data[: random.randint(0, len(data))] if random.random() < 0.4 else data
