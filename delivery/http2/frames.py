"""HTTP/2 frames as bytes (RFC 9113, sections 4 to 7); pure."""

from collections.abc import Iterator
from struct import Struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)

END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 4, 5, 6

NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 3
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 6, 7, 8, 9

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
DEFAULT_WINDOW = 65_535
LARGEST_WINDOW = LARGEST_STREAM_ID = 2**31 - 1
SMALLEST_MAX_FRAME = 16_384
LARGEST_MAX_FRAME = 2**24 - 1

# Length (24 bits) and kind (8 bits) are read and written as one number.
HEAD = Struct(">IBI")
WORD, PAIR, SETTING, _THREE = map(Struct, (">I", ">II", ">HI", ">HIHIHI"))
# No table for response headers, no pushes, and bodies of any size that matters.
OUR_SETTINGS = _THREE.pack(HEADER_TABLE_SIZE, 0, ENABLE_PUSH, 0, INITIAL_WINDOW_SIZE, 1 << 20)

_ERRORS = (
    *("no_error", "protocol_error", "internal_error", "flow_control_error", "settings_timeout"),
    *("stream_closed", "frame_size_error", "refused_stream", "cancel", "compression_error"),
    *("connect_error", "enhance_your_calm", "inadequate_security", "http_1_1_required"),
)


class PeerError(ValueError):
    """The peer broke HTTP/2, so the connection is of no more use."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


def error_name(code: int) -> str:
    """Return the name of an error code as the RFC gives it, in lower case."""
    return _ERRORS[code] if code < len(_ERRORS) else f"error_{code:#x}"


def require(holds: object, code: int, words: str) -> None:
    """Raise PeerError unless a rule of the protocol holds."""
    if not holds:
        raise PeerError(code, words)


def read_settings(payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield the settings in a payload; raise PeerError when one is out of its bounds."""
    require(len(payload) % SETTING.size == 0, FRAME_SIZE_ERROR, "SETTINGS of a wrong length")
    for name, value in SETTING.iter_unpack(payload):
        if name == INITIAL_WINDOW_SIZE:
            require(value <= LARGEST_WINDOW, FLOW_CONTROL_ERROR, "a window beyond 2^31-1")
        elif name == MAX_FRAME_SIZE:
            fits = SMALLEST_MAX_FRAME <= value <= LARGEST_MAX_FRAME
            require(fits, PROTOCOL_ERROR, "a largest frame out of bounds")
        elif name == ENABLE_PUSH:
            require(value == 0, PROTOCOL_ERROR, "a server that would push")
        yield name, value


def read_word(payload: bytes, what: str) -> int:
    """Return the number that is the whole payload; raise PeerError when it is not one."""
    require(len(payload) == WORD.size, FRAME_SIZE_ERROR, f"{what} of a wrong length")
    return int.from_bytes(payload)


def unpad(payload: bytes, flags: int) -> bytes:
    """Return what DATA or HEADERS carry, without padding and priority."""
    start = bool(flags & PADDED) + 5 * bool(flags & HAS_PRIORITY)
    end = len(payload) - (payload[0] if flags & PADDED and payload else 0)
    require(start <= end, PROTOCOL_ERROR, "padding longer than its frame")
    return payload[start:end]
