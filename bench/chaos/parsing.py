"""A naive reader of frames: what bytes say, with no rule of the protocol in mind; pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hpack import Decoder, HPACKError

from bench.faults import raw

PREFACE_BYTES = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_REFUSED = 7
_HEAD_BYTES = 9


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; the reserved bit of its stream is left out."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def read_frames(data: bytes) -> Iterator[Frame]:
    """Yield the whole frames at the start of some bytes."""
    at = 0
    while len(data) - at >= _HEAD_BYTES:
        end = at + _HEAD_BYTES + int.from_bytes(data[at : at + 3], "big")
        if end > len(data):
            return
        stream = int.from_bytes(data[at + 5 : at + 9], "big") & raw.LAST_STREAM
        yield Frame(data[at + 3], data[at + 4], stream, data[at + _HEAD_BYTES : end])
        at = end


@dataclass(slots=True)
class Said:
    """What a server said, in whatever order: it may have said too much, never too little."""

    refused: set[int] = field(default_factory=set)
    last: int = raw.LAST_STREAM
    statuses: dict[int, set[int]] = field(default_factory=dict)

    def refuses(self, stream: int) -> bool:
        """Tell whether it said that it has not processed a stream."""
        return stream in self.refused or stream > self.last


def read_server(data: bytes) -> Said:
    """Return what a server's bytes say of its streams."""
    said, open_block, block = Said(), 0, b""
    for frame in read_frames(data):
        if frame.kind == raw.RST_STREAM and frame.payload == _REFUSED.to_bytes(4, "big"):
            said.refused.add(frame.stream)
        elif frame.kind == raw.GOAWAY and len(frame.payload) >= 8:
            said.last = min(said.last, int.from_bytes(frame.payload[:4], "big") & raw.LAST_STREAM)
        elif frame.kind == raw.HEADERS:
            open_block, block = frame.stream, _without_padding(frame)
        elif frame.kind == raw.CONTINUATION:
            block += frame.payload
        if frame.kind in {raw.HEADERS, raw.CONTINUATION} and frame.flags & raw.END_HEADERS:
            said.statuses.setdefault(open_block, set()).add(status_in(block))
    return said


def whole_streams(data: bytes) -> set[int]:
    """Return the streams whose request a client's bytes hold whole; the preface is left out."""
    return {
        frame.stream
        for frame in read_frames(data[PREFACE_BYTES:])
        if frame.kind == raw.DATA and frame.flags & raw.END_STREAM
    }


def status_in(block: bytes) -> int:
    """Return the last status of a header block, 0 when it has none or can not be read."""
    if block.removeprefix(b"\x20").startswith(b"\x88"):
        # Enough for a success, whatever follows.
        return 200
    try:
        fields = Decoder().decode(block, raw=True)
    except (HPACKError, ValueError, IndexError):
        return 0
    status = dict(fields).get(b":status", b"")
    return int(status) if status.isdigit() else 0


def _without_padding(frame: Frame) -> bytes:
    start, end = 0, len(frame.payload)
    if frame.flags & raw.PADDED and frame.payload:
        start, end = 1, end - frame.payload[0]
    return frame.payload[start + 5 * bool(frame.flags & 0x20) : end]
